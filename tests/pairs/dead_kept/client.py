import socket
import threading

s = socket.socket()
s.connect(('127.0.0.1', 6600))
nick = input('Nick: ')
s.send(nick.encode())


def get():
    while True:
        text = s.recv(1024).decode()
        if text == '':
            break
        print(text)


threading.Thread(target=get, daemon=True).start()
print('Hi! Say "Bye!" to go')
while True:
    text = input()
    if text == 'Bye!':
        break
    s.send(text.encode())
