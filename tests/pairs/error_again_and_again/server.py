import socket
import threading

users = {}


def send_all(text, me):
    for c in list(users):
        if c is not me:
            try:
                c.sendall(text.encode())
            except OSError:
                pass


def serve(c):
    name = c.recv(1024).decode()
    users[c] = name
    send_all(f'{name} пришёл', c)
    while True:
        try:
            data = c.recv(1024)
            if not data:
                c.close()
                users.pop(c)
                send_all(f'{name} ушёл', c)
            send_all(f'{name}: {data.decode()}', c)
        except Exception as e:
            print('Ошибка:', e)


s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', 7100))
s.listen()
while True:
    c, addr = s.accept()
    threading.Thread(target=serve, args=(c,), daemon=True).start()
