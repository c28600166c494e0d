import os
import socket
import sys
import threading

PORT = 20001
if len(sys.argv) > 1:
    PORT = int(sys.argv[1])


def recv_loop(sock):
    while True:
        msg = sock.recv(1024)
        if not msg:
            os._exit(0)
        print(str(msg, 'utf8'))


sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
sock.connect(('127.0.0.1', PORT))
sock.send(bytes(input('Enter nickname: '), 'utf8'))
threading.Thread(target=recv_loop, args=(sock,), daemon=True).start()
while True:
    msg = input()
    sock.send(bytes(msg, 'utf8'))
    if msg == 'exit':
        break
