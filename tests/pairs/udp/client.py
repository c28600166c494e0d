import socket
import threading

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server = ('127.0.0.1', 5432)
name = input('Ваше имя: ')
sock.sendto(name.encode(), server)


def receive():
    while True:
        data, addr = sock.recvfrom(1024)
        print(data.decode())


threading.Thread(target=receive, daemon=True).start()
while True:
    text = input()
    sock.sendto(text.encode(), server)
    if text == 'exit':
        break
