import socket
import threading

clients = {}


def broadcast(text, sender):
    for c in list(clients):
        if c is not sender:
            try:
                c.sendall(text.encode('utf-8') + b'\n')
            except OSError:
                pass


def serve(c):
    name = None
    try:
        lines = c.makefile(encoding='utf-8')
        name = lines.readline().strip()
        if name and name not in clients.values():
            clients[c] = name
            broadcast(f'{name} вошёл', c)
            for line in lines:
                broadcast(f'{name}: {line.strip()}', c)
    except OSError:
        pass
    if clients.pop(c, None):
        broadcast(f'{name} вышел', c)
    c.close()


server = socket.create_server(('127.0.0.1', 6900))
while True:
    c, addr = server.accept()
    c.sendall('Добро пожаловать в чат\n'.encode('utf-8'))
    threading.Thread(target=serve, args=(c,), daemon=True).start()
