import socket
import threading
import tkinter as tk

sock = socket.create_connection(('localhost', 7800))
window = tk.Tk()
window.title('Чат')
history = tk.Text(window)
history.pack()
entry = tk.Entry(window)
entry.pack()


def send(event):
    text = entry.get()
    entry.delete(0, tk.END)
    history.insert(tk.END, 'Я: ' + text + '\n')
    sock.send(text.encode())


def receive():
    while True:
        data = sock.recv(1024)
        if not data:
            break
        history.insert(tk.END, data.decode() + '\n')


entry.bind('<Return>', send)
threading.Thread(target=receive, daemon=True).start()
window.mainloop()
