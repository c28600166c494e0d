import os
import socket
import struct
import threading

sock = socket.create_connection(('127.0.0.1', 4455))


def recv_exact(n):
    data = b''
    while len(data) < n:
        part = sock.recv(n - len(data))
        if not part:
            print('server closed the connection')
            os._exit(1)
        data += part
    return data


def recv_msg():
    (n,) = struct.unpack('!I', recv_exact(4))
    return recv_exact(n).decode('utf-8')


def send_msg(text):
    data = text.encode('utf-8')
    sock.sendall(struct.pack('!I', len(data)) + data)


send_msg(input('nickname: '))
while recv_msg() != 'OK':
    send_msg(input('this nickname is in use, another nickname: '))


def show():
    while True:
        print(recv_msg())


threading.Thread(target=show, daemon=True).start()
while True:
    try:
        text = input()
    except EOFError:
        break
    if text == '/quit':
        break
    send_msg(text)
sock.close()
