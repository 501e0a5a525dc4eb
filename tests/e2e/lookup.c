/* Ask the C library for each name, as programs in a pod do: one line a name, its addresses or the
   error, and how many milliseconds that took. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static long milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

static const char *error_name(int error)
{
    switch (error) {
    case EAI_NONAME: return "EAI_NONAME";
    case EAI_AGAIN: return "EAI_AGAIN";
    case EAI_FAIL: return "EAI_FAIL";
    default: return gai_strerror(error);
    }
}

int main(int count, char **words)
{
    for (int i = 1; i < count; i++) {
        struct addrinfo hints, *found = NULL;
        memset(&hints, 0, sizeof hints);
        hints.ai_socktype = SOCK_STREAM; /* and both families, as most programs ask */
        long start = milliseconds();
        int error = getaddrinfo(words[i], NULL, &hints, &found);
        printf("%s %ld", words[i], milliseconds() - start);
        if (error)
            printf(" %s", error_name(error));
        for (struct addrinfo *each = found; each; each = each->ai_next) {
            char host[128] = "?";
            getnameinfo(each->ai_addr, each->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST);
            printf(" %s", host);
        }
        printf("\n");
        if (found)
            freeaddrinfo(found);
    }
    return 0;
}
