import socket
import select

s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('localhost', 8765))
s.listen(5)
users = {}
socks = [s]


def send_all(text, me):
    for u in users:
        if u != me:
            u.sendall(text.encode())


def read(c):
    try:
        return c.recv(1024).decode()
    except ConnectionError:
        return ''


print('Сервер чата на порту 8765')
while True:
    for c in select.select(socks, [], [])[0]:
        if c == s:
            new, addr = s.accept()
            socks.append(new)
            new.sendall('Введите имя: '.encode())
            continue
        msg = read(c)
        if msg == '' or msg == '/q':
            name = users[c]
            del users[c]
            socks.remove(c)
            c.close()
            send_all('!!! ' + name + ' ушёл', None)
        elif c not in users:
            users[c] = msg
            send_all('!!! ' + msg + ' пришёл', c)
        else:
            send_all(users[c] + ' > ' + msg, c)
