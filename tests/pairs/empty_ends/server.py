import socket
from threading import Thread

clients = {}


def tell(message, sender):
    for c in list(clients):
        if c is not sender:
            try:
                c.sendall((message + '\n').encode('utf-8'))
            except OSError:
                pass


def handle(c):
    f = c.makefile('r', encoding='utf-8')
    try:
        name = f.readline().strip()
        clients[c] = name
        tell(f'* {name} вошёл', c)
        while True:
            line = f.readline().strip()
            if not line:
                break
            tell(f'{name}> {line}', c)
    except OSError:
        pass
    finally:
        name = clients.pop(c, None)
        if name:
            tell(f'* {name} вышел', c)
        c.close()


s = socket.create_server(('127.0.0.1', 6100))
print('Порт 6100')
while True:
    c, addr = s.accept()
    Thread(target=handle, args=(c,), daemon=True).start()
