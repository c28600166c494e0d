import socket
from threading import Thread

s = socket.create_connection(('127.0.0.1', 6900))
f = s.makefile('r', encoding='utf-8')


def show():
    for line in f:
        print(line.rstrip())


s.sendall((input('Введите имя: ') + '\n').encode('utf-8'))
Thread(target=show, daemon=True).start()
print('exit - выход')
while True:
    try:
        line = input()
    except EOFError:
        break
    if line == 'exit':
        break
    s.sendall((line + '\n').encode('utf-8'))
