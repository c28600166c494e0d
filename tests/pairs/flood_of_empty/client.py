import socket, threading, sys

s = socket.socket()
s.connect(('localhost', 7777))

def recv_messages():
    while True:
        try:
            msg = s.recv(1024).decode('utf-8')
        except:
            break
        if msg == '':
            print('Server closed')
            break
        print(msg)

t = threading.Thread(target=recv_messages)
t.daemon = True
t.start()
while True:
    try:
        line = input()
    except EOFError:
        sys.exit()
    s.send(line.encode('utf-8'))
