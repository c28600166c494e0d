import socket
import threading

nick = input("Choose a nickname: ")
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect(("127.0.0.1", 5678))
client.send(nick.encode("utf-8"))


def receive():
    while True:
        message = client.recv(1024).decode("utf-8")
        if message == "":
            print("Server is down")
            break
        print(message)


threading.Thread(target=receive, daemon=True).start()
print("You are in the chat. /q to quit")
while True:
    message = input()
    if message == "/q":
        break
    client.send(message.encode("utf-8"))
client.close()
