import select
import socket

server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('127.0.0.1', 4545))
server.listen(20)
sockets = [server]
names = {}
print('Server on port 4545')


def send_all(text, but):
    for s in sockets:
        if s is not server and s is not but and s in names:
            s.send(text.encode())


def leave(s):
    sockets.remove(s)
    name = names.pop(s, None)
    if name is not None:
        send_all(name + ' has left', s)
    s.close()


while True:
    ready, _, _ = select.select(sockets, [], [])
    for s in ready:
        if s is server:
            conn, addr = server.accept()
            sockets.append(conn)
            continue
        data = s.recv(1024)
        if not data:
            leave(s)
        elif s not in names:
            names[s] = data.decode()
            send_all(names[s] + ' is here', s)
        elif data == b'bye':
            leave(s)
        else:
            send_all(names[s] + ' says: ' + data.decode(), s)
