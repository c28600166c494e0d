import socket
import sys
from threading import Thread

sock = socket.create_connection(('localhost', 7070))


def reader():
    while True:
        text = sock.recv(1024).decode()
        if not text:
            break
        print(text, end='', flush=True)
    print('Отключено')


Thread(target=reader).start()
for line in sys.stdin:
    sock.send(line.encode())
    if line.strip() == '/leave':
        break
else:
    sock.send('/leave\n'.encode())
