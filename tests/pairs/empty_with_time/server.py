import socket
import threading
from datetime import datetime

clients = []


def send_to_others(text, me):
    now = datetime.now().strftime('%H:%M:%S')
    for c in clients[:]:
        if c is not me:
            try:
                c.send(f'[{now}] {text}\n'.encode('utf-8'))
            except OSError:
                pass


def work(c):
    name = c.recv(1024).decode('utf-8')
    clients.append(c)
    send_to_others(f'{name} joined', c)
    while True:
        try:
            text = c.recv(1024).decode('utf-8')
        except OSError:
            break
        send_to_others(f'{name}: {text}', c)
    clients.remove(c)
    send_to_others(f'{name} left', c)


s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('', 6300))
s.listen()
while True:
    c, addr = s.accept()
    threading.Thread(target=work, args=(c,), daemon=True).start()
