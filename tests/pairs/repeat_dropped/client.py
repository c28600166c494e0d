import socket
import threading

sock = socket.create_connection(('localhost', 6200))
print('You username: ', end='')
sock.sendall((input() + '\n').encode())


def receive():
    for line in sock.makefile(encoding='utf-8'):
        print(line, end='')


threading.Thread(target=receive, daemon=True).start()
print('Чтобы уйти, наберите __out')
while (text := input()) != '__out':
    sock.sendall((text + '\n').encode())
sock.close()
