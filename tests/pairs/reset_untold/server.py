import socket
import threading

people = []
names = []


def send_to_all(text, but):
    for p in people[:]:
        if p is not but:
            try:
                p.sendall(text.encode())
            except OSError:
                pass


def serve(p):
    try:
        name = p.recv(1024).decode()
        if name == '':
            return
        people.append(p)
        names.append(name)
        send_to_all(f'{name} joined', p)
        while True:
            text = p.recv(1024).decode()
            if text == '':
                break
            send_to_all(f'{name}: {text}', p)
    except ConnectionResetError:
        people.remove(p)
        names.remove(name)
        return
    people.remove(p)
    names.remove(name)
    send_to_all(f'{name} left', p)


s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', 6800))
s.listen(5)
while True:
    p, addr = s.accept()
    threading.Thread(target=serve, args=(p,), daemon=True).start()
