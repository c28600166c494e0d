import socket
import threading

ip = input('Server IP: ')
port = int(input('Server port: '))
s = socket.socket()
s.connect((ip, port))
name = input('Your name: ')
s.send(name.encode())


def receive():
    while True:
        data = s.recv(1024)
        if not data:
            print('Connection closed')
            break
        print(data.decode())


threading.Thread(target=receive).start()
print('Type bye to leave')
while True:
    text = input()
    s.send(text.encode())
    if text == 'bye':
        break
