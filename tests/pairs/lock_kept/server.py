import socket
import threading

lock = threading.Lock()
clients = []
names = []


def broadcast(msg, sender):
    lock.acquire()
    for c in clients:
        if c != sender:
            try:
                c.send(msg.encode())
            except OSError:
                pass
    lock.release()


def new_client(c):
    hello = c.recv(1024).decode()        # NAME ann
    lock.acquire()
    name = hello.split()[1]
    clients.append(c)
    names.append(name)
    lock.release()
    broadcast(name + ' joined', c)
    while True:
        try:
            msg = c.recv(1024).decode()
        except OSError:
            break
        if msg == '' or msg == 'QUIT':
            break
        broadcast(name + ': ' + msg[5:], c)     # SEND text
    lock.acquire()
    clients.remove(c)
    names.remove(name)
    lock.release()
    broadcast(name + ' left', c)
    c.close()


s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('', 4321))
s.listen(5)
print('Listening')
while True:
    c, addr = s.accept()
    print('Connection from', addr)
    threading.Thread(target=new_client, args=(c,), daemon=True).start()
