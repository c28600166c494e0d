import socket
import threading

client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect(("127.0.0.1", 55555))

if client.recv(1024).decode() == "NICK":
    nickname = input("Choose your nickname: ")
    client.send(nickname.encode())


def receive():
    while True:
        message = client.recv(1024).decode()
        if message == "":
            break
        print(message)


def write():
    while True:
        message = input("")
        if message == "quit":
            break
        client.send(message.encode())
    client.close()


receive_thread = threading.Thread(target=receive, daemon=True)
receive_thread.start()
write()
