import socket
import struct
import threading

lock = threading.Lock()
users = {}


def recv_exact(sock, n):
    data = b''
    while len(data) < n:
        part = sock.recv(n - len(data))
        if not part:
            raise ConnectionError('closed')
        data += part
    return data


def recv_msg(sock):
    (n,) = struct.unpack('!I', recv_exact(sock, 4))
    return recv_exact(sock, n).decode('utf-8')


def send_msg(sock, text):
    data = text.encode('utf-8')
    sock.sendall(struct.pack('!I', len(data)) + data)


def broadcast(text, sender):
    with lock:
        for name, sock in users.items():
            if name != sender:
                try:
                    send_msg(sock, text)
                except OSError:
                    pass


def serve(sock):
    name = None
    try:
        while name is None:
            wanted = recv_msg(sock)
            with lock:
                if wanted not in users:
                    name = wanted
                    users[name] = sock
            send_msg(sock, 'OK' if name else 'BUSY')
        broadcast(f'* {name} joined', name)
        while True:
            broadcast(f'{name}: {recv_msg(sock)}', name)
    except OSError:
        pass
    if name:
        with lock:
            del users[name]
        broadcast(f'* {name} left', name)
    sock.close()


listener = socket.create_server(('127.0.0.1', 4455))
print('listening on 4455')
while True:
    conn, _ = listener.accept()
    threading.Thread(target=serve, args=(conn,), daemon=True).start()
