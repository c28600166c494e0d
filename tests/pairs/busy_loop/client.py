import socket
import threading

nick = input('Введите ваш ник: ')
sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
sock.connect(('127.0.0.1', 9090))
sock.send(nick.encode())


def receive():
    while True:
        data = sock.recv(1024)
        if not data:
            break
        print(data.decode())


threading.Thread(target=receive, daemon=True).start()
while True:
    msg = input()
    sock.send(msg.encode())
