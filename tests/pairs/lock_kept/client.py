import socket
import threading

c = socket.socket()
c.connect(('localhost', 4321))
name = input('Nickname: ')
while ' ' in name or name == '':
    name = input('Nickname without spaces: ')
c.send(('NAME ' + name).encode())


def recv_all():
    while True:
        msg = c.recv(1024).decode()
        if msg == '':
            break
        print(msg)


t = threading.Thread(target=recv_all)
t.daemon = True
t.start()
print('Hello, ' + name + ', type quit to go away')
while True:
    msg = input()
    if msg == 'quit':
        c.send('QUIT'.encode())
        break
    c.send(('SEND ' + msg).encode())
