import socket, threading

s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('', 7777))
s.listen(10)
clients = []
names = []

def send_all(msg, me):
    for c in clients[:]:
        if c is not me:
            try:
                c.send(msg.encode('utf-8'))
            except OSError:
                pass

def work(c):
    c.send('Your name?'.encode('utf-8'))
    name = c.recv(1024).decode('utf-8')
    clients.append(c)
    names.append(name)
    send_all('*** ' + name + ' joined ***', c)
    while True:
        try:
            msg = c.recv(1024).decode('utf-8')
            send_all('[' + name + '] ' + msg, c)
        except ConnectionResetError:
            clients.remove(c)
            names.remove(name)
            send_all('*** ' + name + ' left ***', c)
            return

print('waiting for clients')
while True:
    c, addr = s.accept()
    t = threading.Thread(target=work, args=(c,))
    t.daemon = True
    t.start()
