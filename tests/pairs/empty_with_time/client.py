import socket
import threading

s = socket.socket()
s.connect(('localhost', 6300))


def read():
    while True:
        data = s.recv(1024)
        if not data:
            break
        print(data.decode('utf-8'), end='')


name = input('Name: ')
s.send(name.encode('utf-8'))
threading.Thread(target=read, daemon=True).start()
while True:
    text = input()
    if text == '/exit':
        break
    if text:
        s.send(text.encode('utf-8'))
