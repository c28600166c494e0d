import socket
import threading

HOST, PORT = '127.0.0.1', 10000
users = {}
lock = threading.Lock()


def broadcast(message, exclude):
    with lock:
        for name, sock in users.items():
            if name != exclude:
                try:
                    sock.sendall(message.encode() + b'\n')
                except OSError:
                    pass


def handle(sock):
    file = sock.makefile(encoding='utf-8')
    name = file.readline().strip()
    if not name:
        return
    with lock:
        users[name] = sock
    broadcast(f'{name} вошел', name)
    try:
        for line in file:
            broadcast(f'{name}: {line.strip()}', name)
    except OSError:
        pass
    with lock:
        users.pop(name, None)
    broadcast(f'{name} вышел', name)
    sock.close()


server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((HOST, PORT))
server.listen()
print(f'Слушаю {HOST}:{PORT}')
while True:
    sock, addr = server.accept()
    threading.Thread(target=handle, args=(sock,), daemon=True).start()
