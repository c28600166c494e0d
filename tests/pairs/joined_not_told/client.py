import socket
import threading

client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect(('localhost', 5005))


def get_messages():
    while True:
        message = client.recv(1024).decode('cp1251')
        if not message:
            break
        print(message)


name = input('Как вас зовут? ')
client.send(name.encode('cp1251'))
threading.Thread(target=get_messages, daemon=True).start()
print('Для выхода напишите стоп')
while True:
    message = input()
    client.send(message.encode('cp1251'))
    if message == 'стоп':
        break
