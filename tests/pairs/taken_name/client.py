import socket
import threading

name = input('Введите имя: ')
sock = socket.socket()
sock.connect(('127.0.0.1', 10000))
sock.sendall(name.encode() + b'\n')


def receive():
    for line in sock.makefile(encoding='utf-8'):
        print(line.strip())
    print('Сервер закрыл соединение')


threading.Thread(target=receive, daemon=True).start()
print('Введите сообщение (exit - выход)')
while True:
    text = input('> ')
    if text == 'exit':
        break
    sock.sendall(text.encode() + b'\n')
sock.close()
