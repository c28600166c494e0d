import socket
import threading
from config import HOST, PORT, SIZE

sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
sock.connect((HOST, PORT))
nick = input("Ник: ")
sock.send(nick.encode())


def receive():
    while True:
        text = sock.recv(SIZE).decode()
        if not text:
            print("Нет связи")
            break
        print(text)


t = threading.Thread(target=receive)
t.start()
print("Напишите сообщение или exit для выхода")
while True:
    try:
        text = input()
    except EOFError:
        break
    if text == "exit":
        print("До свидания")
        break
    sock.send(text.encode())
