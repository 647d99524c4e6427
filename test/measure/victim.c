/* An agent that does what it is told, a line at a time, for tests of what is seen from outside. Answers each with "done". */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

extern char **environ;

__attribute__((noinline, aligned(64))) int answer(int question) { return question == 42; }

/* Opens its own text, writes over it, and closes it again: afterwards no permission tells of it. */
static void patch(void) {
  uintptr_t page = (uintptr_t)answer & ~4095UL;
  mprotect((void *)page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC);
  ((volatile unsigned char *)(uintptr_t)answer)[0] ^= 0xff;
  mprotect((void *)page, 8192, PROT_READ | PROT_EXEC);
}

static void reserve(size_t megabytes) {
  char *text = mmap(0, megabytes << 20, PROT_READ | PROT_WRITE | PROT_EXEC,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(text, 0x90, megabytes << 20);
}

/* A library without a name: what dlopen of a memfd does. */
static void load_nameless(const char *path) {
  char bytes[65536], name[64];
  FILE *from = fopen(path, "rb");
  size_t length = fread(bytes, 1, sizeof bytes, from);
  fclose(from);
  int file = memfd_create("nameless", 0);
  if (write(file, bytes, length) != (ssize_t)length) exit(3);
  snprintf(name, sizeof name, "/proc/self/fd/%d", file);
  if (!dlopen(name, RTLD_NOW)) exit(4);
}

static void reach(int port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof to)) exit(5);
}

int main(void) {
  char line[4096];
  setvbuf(stdout, 0, _IOLBF, 0);
  puts("done");
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    if (!strcmp(line, "patch")) patch();
    if (!strcmp(line, "environment")) memset(environ[0], 'X', strlen(environ[0]));
    if (!strncmp(line, "reserve ", 8)) reserve(atoi(line + 8));
    if (!strncmp(line, "load ", 5) && !dlopen(line + 5, RTLD_NOW)) exit(2);
    if (!strncmp(line, "nameless ", 9)) load_nameless(line + 9);
    if (!strncmp(line, "reach ", 6)) reach(atoi(line + 6));
    if (!strcmp(line, "fork") && fork() == 0) execl("/bin/sleep", "sleep", "60", NULL);
    puts("done");
  }
  return answer(1);
}
