import socket
import threading
import os

name = input("Ваше имя: ")
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect(("127.0.0.1", 1234))
print("Вы подключены к чату. Команда выхода: !q")


def receive():
    while True:
        try:
            data = client.recv(4096)
            if not data:
                print("Сервер отключился")
                os._exit(0)
            print(f"{name}: {data.decode('utf8')}")
        except OSError:
            break


thread = threading.Thread(target=receive)
thread.start()
while True:
    text = input()
    if text == "!q":
        client.close()
        os._exit(0)
    client.send(text.encode("utf8"))
