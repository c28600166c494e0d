import socket
import threading

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('localhost', 9999))
server.listen(2)


def forward(a, b, name):
    while True:
        try:
            data = a.recv(1024)
        except OSError:
            break
        if not data:
            break
        b.send((name + ': ').encode() + data)
    b.send((name + ' вышел').encode())


print('Жду первого')
first, addr1 = server.accept()
first.send('Ваше имя?'.encode())
name1 = first.recv(1024).decode()
first.send('Ждем собеседника'.encode())
print('Жду второго')
second, addr2 = server.accept()
second.send('Ваше имя?'.encode())
name2 = second.recv(1024).decode()
first.send((name2 + ' вошел').encode())
t1 = threading.Thread(target=forward, args=(first, second, name1), daemon=True)
t2 = threading.Thread(target=forward, args=(second, first, name2), daemon=True)
t1.start()
t2.start()
t1.join()
t2.join()
print('Чат окончен')
