import socket
import threading

s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect(('localhost', 8765))


def read():
    while True:
        msg = s.recv(1024)
        if msg == b'':
            print('Конец связи')
            break
        print(msg.decode())


t = threading.Thread(target=read)
t.start()
print('(выход: /q)')
while True:
    text = input()
    s.sendall(text.encode())
    if text == '/q':
        break
