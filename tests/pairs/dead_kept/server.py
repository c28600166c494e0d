import socket
import threading

all_clients = []


def to_all(text, me):
    for c in all_clients:
        if c != me:
            try:
                c.send(text.encode())
            except:
                pass


def one_client(c):
    name = ''
    try:
        name = c.recv(1024).decode()
        if name:
            all_clients.append(c)
            to_all(name + ' enters', c)
        while name:
            text = c.recv(1024).decode()
            if text == '':
                break
            to_all(name + ': ' + text, c)
    except:
        pass
    if name:
        to_all(name + ' leaves', c)


s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('', 6600))
s.listen(10)
while True:
    c, a = s.accept()
    threading.Thread(target=one_client, args=(c,), daemon=True).start()
