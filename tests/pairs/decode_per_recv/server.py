import socket
import threading

users = {}
users_lock = threading.Lock()


def broadcast(line, sender=None):
    with users_lock:
        for name in users:
            if name != sender:
                try:
                    users[name].sendall((line + '\n').encode())
                except OSError:
                    pass


def read_lines(sock):
    text = ''
    while True:
        part = sock.recv(1000).decode()
        if not part:
            return
        text += part
        while '\n' in text:
            line, text = text.split('\n', 1)
            yield line


def serve(sock):
    lines = read_lines(sock)
    name = next(lines, None)
    if not name:
        return
    with users_lock:
        users[name] = sock
    broadcast('>>> ' + name, name)
    try:
        for line in lines:
            broadcast(f'({name}) {line}', name)
    except OSError:
        pass
    with users_lock:
        del users[name]
    broadcast('<<< ' + name)
    sock.close()


listener = socket.create_server(('', 5700))
print('port 5700')
while True:
    sock, _ = listener.accept()
    threading.Thread(target=serve, args=[sock], daemon=True).start()
