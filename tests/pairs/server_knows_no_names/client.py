import socket
import threading

s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect(('localhost', 11111))
name = input('Введите имя: ')


def recv():
    while True:
        data = s.recv(1024)
        if not data:
            break
        print(data.decode('utf-8'))


threading.Thread(target=recv, daemon=True).start()
while True:
    text = input()
    if text == 'exit':
        break
    s.sendall((name + ': ' + text).encode('utf-8'))
s.close()
