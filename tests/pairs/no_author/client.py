import socket
from threading import Thread

sock = socket.socket()
sock.connect(('127.0.0.1', 3333))


def listen():
    while True:
        text = sock.recv(1024).decode()
        if text == '':
            break
        print(text)


Thread(target=listen, daemon=True).start()
while True:
    text = input()
    sock.send(text.encode())
    if text == 'exit':
        break
