/* Types into the documents of a y-websocket server, counts what arrives, and prints one JSON object.

   Every room has a number of peers, of whom the first ones write: a character an update, behind their
   own last one, in the root text "content". A character is delivered when another peer has decoded it,
   in whatever batch or merged update it came. A character that somebody never got, or got as another
   one, and a connection that ends are errors: then the exit status is 1.

   Closed loop (--window): every writer keeps so many characters under way that not all of its room have
   seen. Open loop (--rate): every writer types so often a second, come what may; latency counts from when
   the character was due, so a stall counts for everything that was typed during it.

   Not for: other servers' protocols, or documents with anything but text. Wire: docs/reference/wire.md and
   RFC 6455. `generator.py` compiles and runs it. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { SYNC = 0, AUTH = 2, SAVED = 102, STEP_1 = 0, STEP_2 = 1, UPDATE = 2 };       /* messages */
enum { GC = 0, STRING = 4, SKIP = 10, LEFT = 0x80, RIGHT = 0x40, KEYED = 0x20 };     /* structs of an update */
enum { TEXT_FRAME = 1, BINARY_FRAME = 2, CLOSE_FRAME = 8, PING_FRAME = 9, PONG_FRAME = 10, FIN = 0x80 };
enum { OPENING_AT_ONCE = 64, EVENTS_AT_ONCE = 256, MOST_PIDS = 16, SHORT_FRAME = 126 };

/* Such ids take five bytes, as nearly all that Yjs draws do. */
static const uint64_t FIRST_CLIENT = 1u << 30;
static const int64_t SECOND = 1000000000;
static const int64_t OPENING_TIME = 60 * SECOND;

typedef struct { uint8_t *at; size_t used, room; } Bytes;

/* One socket. */
typedef struct {
    int fd, room, index;
    bool upgraded, synced, dirty;
    Bytes in, out;
} Peer;

/* What one peer types. For each character: when, by how many it is missed, and a bit for each peer that has it. */
typedef struct {
    Peer *peer;
    size_t typed, complete, capacity;
    int64_t *typed_at;
    uint16_t *missed_by;
    uint8_t *seen;
    size_t asked, answered, asked_capacity;
    int64_t *asked_at;
} Writer;

/* Microseconds, in 64 steps for each power of two: 1.6 % wrong at most. */
typedef struct { uint64_t counts[64 * 40], total; } Histogram;

typedef struct { const uint8_t *at, *end; bool bad; } Cursor;

typedef struct { int64_t at; double server_cpu, own_cpu; } Moment;

static struct {
    int port, rooms, peers, writers, window, saved_every, pids[MOST_PIDS], pid_count;
    double rate, seconds, warmup, drain;
    const char *path;
} option = {.rooms = 1, .peers = 2, .writers = 1, .seconds = 3, .warmup = 0.5, .drain = 10, .path = "/ws/load"};

static Peer *peers;
static Writer *writers;
static Peer **dirty;
static size_t dirty_count, seen_bytes;
static int peer_count, writer_count, opened, synced, poll_fd, timer_fd;
static int64_t now, typing_since, *phases;
static uint64_t keystrokes, undelivered, unanswered, delivered, completed, wrong, mask_state = 0x9e3779b97f4a7c15;
static bool typing, measuring;
static int64_t measured_from = INT64_MAX, measured_until = INT64_MAX;
static Histogram latency, saved;
static char problem[300];

/* ---- small tools ---- */

/* Note why the run has failed; the first reason counts. */
__attribute__((format(printf, 1, 2))) static void fail(const char *format, ...) {
    if (problem[0])
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, sizeof problem, format, arguments);
    va_end(arguments);
    for (char *c = problem; *c; c++) /* It goes into JSON, and a server may say anything. */
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
            *c = '?';
}

static void *grown(void *old, size_t size) {
    void *new = realloc(old, size);
    if (!new) {
        fputs("load: out of memory\n", stderr);
        exit(2);
    }
    return new;
}

static int64_t clock_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static uint32_t draw(void) { /* xorshift64* */
    mask_state ^= mask_state >> 12;
    mask_state ^= mask_state << 25;
    mask_state ^= mask_state >> 27;
    return (uint32_t)((mask_state * 0x2545f4914f6cdd1d) >> 32);
}

static void make_room(Bytes *bytes, size_t more) {
    if (bytes->room - bytes->used >= more)
        return;
    bytes->room = 2 * bytes->room + more;
    bytes->at = grown(bytes->at, bytes->room);
}

static void count(Histogram *histogram, int64_t nanoseconds) {
    uint64_t us = nanoseconds > 0 ? (uint64_t)nanoseconds / 1000 : 0;
    int shift = us < 128 ? 0 : 57 - __builtin_clzll(us);
    histogram->counts[(uint64_t)shift * 64 + (us >> shift)]++;
    histogram->total++;
}

static double percentile(const Histogram *histogram, double share) {
    uint64_t wanted = (uint64_t)(share * (double)histogram->total), below = 0;
    for (size_t at = 0; at < sizeof histogram->counts / sizeof *histogram->counts; at++) {
        below += histogram->counts[at];
        if (below > wanted) {
            int shift = at < 128 ? 0 : (int)(at / 64) - 1;
            return (double)((uint64_t)(at - 64 * (size_t)shift) << shift) / 1000;
        }
    }
    return 0;
}

static uint64_t var_uint(Cursor *c) {
    uint64_t value = 0;
    for (int shift = 0; shift < 63; shift += 7) {
        if (c->at == c->end)
            break;
        value |= (uint64_t)(*c->at & 127) << shift;
        if (!(*c->at++ & 128))
            return value;
    }
    c->bad = true;
    return 0;
}

static const uint8_t *take(Cursor *c, uint64_t length) {
    const uint8_t *taken = c->at;
    if (length > (uint64_t)(c->end - c->at))
        c->bad = true;
    else
        c->at += length;
    return taken;
}

static Cursor var_bytes(Cursor *c) {
    uint64_t length = var_uint(c);
    const uint8_t *start = take(c, length);
    return (Cursor){start, c->bad ? start : start + length, c->bad};
}

static uint8_t *put_var_uint(uint8_t *to, uint64_t value) {
    for (; value > 127; value >>= 7)
        *to++ = (uint8_t)(value | 128);
    *to++ = (uint8_t)value;
    return to;
}

/* ---- sending ---- */

static void flush(Peer *peer) {
    ssize_t written = write(peer->fd, peer->out.at, peer->out.used);
    if (written < 0 && errno != EAGAIN)
        fail("connection %d of room %d failed: %s", peer->index, peer->room, strerror(errno));
    if (written <= 0)
        return; /* Not connected yet, or full: epoll tells when that changes. */
    peer->out.used -= (size_t)written;
    memmove(peer->out.at, peer->out.at + written, peer->out.used);
}

/* What is said in one turn leaves in one write at its end. */
static void mark(Peer *peer) {
    if (!peer->dirty)
        dirty[dirty_count++] = peer;
    peer->dirty = true;
}

static void say_frame(Peer *peer, uint8_t opcode, const uint8_t *message, size_t length) {
    if (length >= SHORT_FRAME)
        return fail("the load generator tried to send %zu bytes", length);
    make_room(&peer->out, length + 6);
    uint8_t *to = peer->out.at + peer->out.used, mask[4];
    uint32_t drawn = draw();
    memcpy(mask, &drawn, 4);
    *to++ = FIN | opcode;
    *to++ = (uint8_t)(0x80 | length);
    memcpy(to, mask, 4);
    to += 4;
    for (size_t i = 0; i < length; i++)
        *to++ = message[i] ^ mask[i & 3];
    peer->out.used += length + 6;
    mark(peer);
}

static void say(Peer *peer, const uint8_t *message, size_t length) { say_frame(peer, BINARY_FRAME, message, length); }

/* ---- writers ---- */

static uint8_t letter(size_t clock) { return (uint8_t)('a' + clock % 26); }

static uint64_t client_of(const Writer *writer) { return FIRST_CLIENT + (uint64_t)(writer - writers); }

static Writer *writer_of(const Peer *peer, uint64_t client) {
    uint64_t first = FIRST_CLIENT + (uint64_t)peer->room * (uint64_t)option.writers;
    return client < first || client >= first + (uint64_t)option.writers ? NULL : &writers[client - FIRST_CLIENT];
}

static void remember(Writer *writer, int64_t at) {
    if (writer->typed == writer->capacity) {
        size_t more = writer->capacity = 2 * writer->capacity + 256;
        writer->typed_at = grown(writer->typed_at, more * sizeof *writer->typed_at);
        writer->missed_by = grown(writer->missed_by, more * sizeof *writer->missed_by);
        writer->seen = grown(writer->seen, more * seen_bytes);
        memset(writer->seen + writer->typed * seen_bytes, 0, (more - writer->typed) * seen_bytes);
    }
    writer->typed_at[writer->typed] = at;
    writer->missed_by[writer->typed++] = (uint16_t)(option.peers - 1);
    undelivered += (uint64_t)option.peers - 1;
}

/* Ask whether everything is saved; the token is the number of the question. */
static void ask(Writer *writer, int64_t at) {
    if (writer->asked == writer->asked_capacity) {
        writer->asked_capacity = 2 * writer->asked_capacity + 256;
        writer->asked_at = grown(writer->asked_at, writer->asked_capacity * sizeof *writer->asked_at);
    }
    uint8_t token[10], message[16] = {SAVED};
    size_t length = (size_t)(put_var_uint(token, writer->asked) - token);
    message[1] = (uint8_t)length;
    memcpy(message + 2, token, length);
    say(writer->peer, message, length + 2);
    writer->asked_at[writer->asked++] = at;
    unanswered++;
}

static void type(Writer *writer, int64_t at) {
    uint8_t update[48], message[64] = {SYNC, UPDATE}, *to = update;
    *to++ = 1; /* one client, with one struct */
    *to++ = 1;
    to = put_var_uint(put_var_uint(to, client_of(writer)), writer->typed);
    if (writer->typed) {
        *to++ = STRING | LEFT;
        to = put_var_uint(put_var_uint(to, client_of(writer)), writer->typed - 1);
    } else {
        memcpy(to, "\4\1\7content", 10); /* STRING, in the root of that name */
        to += 10;
    }
    *to++ = 1;
    *to++ = letter(writer->typed);
    *to++ = 0; /* nothing deleted */
    message[2] = (uint8_t)(to - update);
    memcpy(message + 3, update, message[2]);
    say(writer->peer, message, 3u + message[2]);
    remember(writer, at);
    if (option.saved_every && writer->typed % (size_t)option.saved_every == 0)
        ask(writer, at);
}

static int64_t due(uint64_t keystroke) {
    int64_t turn = (int64_t)(keystroke / (uint64_t)writer_count);
    return typing_since + (int64_t)((double)(turn * SECOND) / option.rate) + phases[keystroke % (uint64_t)writer_count];
}

static void type_what_is_due(void) {
    if (!option.rate) {
        for (Writer *writer = writers; writer < writers + writer_count; writer++)
            while (writer->typed - writer->complete < (size_t)option.window)
                type(writer, now);
        return;
    }
    int64_t next;
    while ((next = due(keystrokes)) <= now) {
        /* Spread over the rooms: writers whose turns follow each other are of different ones. */
        uint64_t place = keystrokes++ % (uint64_t)writer_count, of_room = place / (uint64_t)option.rooms;
        type(&writers[place % (uint64_t)option.rooms * (uint64_t)option.writers + of_room], next);
    }
    struct itimerspec timer = {.it_value = {next / SECOND, next % SECOND}};
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &timer, NULL);
}

/* ---- receiving ---- */

/* Times count for what was typed while measuring, however late it comes: else a stall would hide the worst. */
static void count_since(Histogram *histogram, int64_t at) {
    if (at >= measured_from && at < measured_until)
        count(histogram, now - at);
}

static void deliver(const Peer *peer, Writer *writer, uint64_t clock, const uint8_t *text, uint64_t length) {
    if (writer->peer == peer)
        return; /* its own, sent back with those of others */
    if (clock > writer->typed || length > writer->typed - clock)
        return fail("a peer of room %d got characters that nobody has typed", peer->room);
    for (uint64_t i = 0; i < length; i++, clock++) {
        uint8_t *seen = &writer->seen[clock * seen_bytes + (size_t)peer->index / 8], bit = (uint8_t)(1 << peer->index % 8);
        wrong += text[i] != letter(clock);
        if (*seen & bit)
            continue;
        *seen |= bit;
        undelivered--;
        bool last = --writer->missed_by[clock] == 0;
        writer->complete += last;
        delivered += measuring;
        completed += measuring && last;
        count_since(&latency, writer->typed_at[clock]);
    }
}

static void skip_id(Cursor *c) {
    var_uint(c);
    var_uint(c);
}

static void read_string(const Peer *peer, Writer *writer, uint64_t clock, uint8_t info, uint64_t *length, Cursor *c) {
    if (info & LEFT)
        skip_id(c);
    if (info & RIGHT)
        skip_id(c);
    if (!(info & (LEFT | RIGHT))) {
        if (var_uint(c) == 1)
            var_bytes(c); /* a root's name */
        else
            skip_id(c);
        if (info & KEYED)
            var_bytes(c);
    }
    Cursor text = var_bytes(c);
    *length = (uint64_t)(text.end - text.at); /* in bytes: what is typed here is ASCII */
    if (!c->bad && writer)
        deliver(peer, writer, clock, text.at, *length);
}

/* Read an update of any number of clients and structs; its end, what it deletes, is not looked at. */
static void read_update(const Peer *peer, Cursor c) {
    for (uint64_t clients = var_uint(&c); clients && !c.bad; clients--) {
        uint64_t structs = var_uint(&c), length = 0;
        Writer *writer = writer_of(peer, var_uint(&c));
        for (uint64_t clock = var_uint(&c); structs && !c.bad; structs--, clock += length) {
            const uint8_t *first = take(&c, 1);
            uint8_t info = c.bad ? GC : *first;
            if ((info & 31) == STRING)
                read_string(peer, writer, clock, info, &length, &c);
            else if ((info & 31) == GC || (info & 31) == SKIP)
                length = var_uint(&c);
            else
                c.bad = true;
        }
    }
    if (c.bad)
        fail("a peer of room %d got an update that it cannot read", peer->room);
}

static void read_saved(Peer *peer, Cursor token) {
    Writer *writer = writer_of(peer, FIRST_CLIENT + (uint64_t)(peer->room * option.writers + peer->index));
    uint64_t answer = var_uint(&token);
    if (token.bad || peer->index >= option.writers || answer >= writer->asked)
        return fail("a peer of room %d got a sync status that it did not send", peer->room);
    for (; writer->answered <= answer; writer->answered++, unanswered--)
        count_since(&saved, writer->asked_at[writer->answered]);
}

static void read_message(Peer *peer, Cursor c) {
    uint64_t type = var_uint(&c), kind = type == SYNC ? var_uint(&c) : 0;
    if (type == AUTH)
        return fail("the server let nobody write in room %d", peer->room);
    if (type != SYNC && type != SAVED)
        return;
    Cursor body = var_bytes(&c);
    if (c.bad)
        return fail("a peer of room %d got a message that it cannot read", peer->room);
    if (type == SAVED)
        return read_saved(peer, body);
    if (kind == STEP_1)
        return say(peer, (const uint8_t[]){SYNC, STEP_2, 2, 0, 0}, 5);
    if (kind == STEP_2 && !peer->synced) {
        peer->synced = true;
        synced++;
    }
    read_update(peer, body);
}

static void read_frame(Peer *peer, uint8_t first, Cursor payload) {
    size_t length = (size_t)(payload.end - payload.at);
    switch (first) {
    case FIN | BINARY_FRAME:
        return read_message(peer, payload);
    case FIN | PING_FRAME:
        return say_frame(peer, PONG_FRAME, payload.at, length);
    case FIN | CLOSE_FRAME:
        return fail("the server closed connection %d of room %d: %d %.*s", peer->index, peer->room,
                    length < 2 ? 1005 : payload.at[0] << 8 | payload.at[1], length < 2 ? 0 : (int)length - 2,
                    (const char *)payload.at + 2);
    default:
        return fail("a peer of room %d got a frame of the kind %#x", peer->room, first);
    }
}

/* Read one frame and return its length, 0 if it is not all there. */
static size_t read_one(Peer *peer, const uint8_t *at, size_t there) {
    if (there < 2)
        return 0;
    size_t header = 2, length = at[1] & 127, wide = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (there < header + wide)
        return 0;
    if (wide)
        for (length = 0; header < 2 + wide; header++)
            length = length << 8 | at[header];
    if (there - header < length)
        return 0;
    read_frame(peer, at[0], (Cursor){at + header, at + header + length, false});
    return header + length;
}

/* Read the answer to the handshake and return its length, 0 if it is not all there. */
static size_t read_upgrade(Peer *peer) {
    const uint8_t *end = memmem(peer->in.at, peer->in.used, "\r\n\r\n", 4);
    if (!end)
        return 0;
    /* The hash in Sec-WebSocket-Accept guards against caches; here is none. */
    if (memcmp(peer->in.at, "HTTP/1.1 101", 12) != 0)
        fail("the server refused room %d: %.*s", peer->room, (int)strcspn((const char *)peer->in.at, "\r"),
             (const char *)peer->in.at);
    peer->upgraded = true;
    say(peer, (const uint8_t[]){SYNC, STEP_1, 1, 0}, 4);
    return (size_t)(end + 4 - peer->in.at);
}

/* Read what the socket has. Edge-triggered: up to the first short read. */
static void hear(Peer *peer) {
    for (bool more = true; more && !problem[0];) {
        make_room(&peer->in, 4096);
        size_t space = peer->in.room - peer->in.used, at = 0, step;
        ssize_t got = read(peer->fd, peer->in.at + peer->in.used, space);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0)
            return fail("connection %d of room %d ended: %s", peer->index, peer->room,
                        got ? strerror(errno) : "the server hung up");
        more = (size_t)got == space;
        peer->in.used += (size_t)got;
        now = clock_now();
        if (!peer->upgraded && !(at = read_upgrade(peer)))
            continue;
        while (!problem[0] && (step = read_one(peer, peer->in.at + at, peer->in.used - at)))
            at += step;
        peer->in.used -= at;
        memmove(peer->in.at, peer->in.at + at, peer->in.used);
    }
}

/* ---- the run ---- */

static void open_next(void) {
    Peer *peer = &peers[opened];
    *peer = (Peer){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .room = opened / option.peers};
    peer->index = opened++ % option.peers;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)option.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (peer->fd < 0 || (connect(peer->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS))
        return fail("connection %d of room %d cannot be opened: %s", peer->index, peer->room, strerror(errno));
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    make_room(&peer->out, 1024);
    peer->out.used = (size_t)snprintf((char *)peer->out.at, 1024,
                                      "GET %s-%d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                                      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                      "Sec-WebSocket-Key: %08x%08x%04xAA==\r\n\r\n",
                                      option.path, peer->room, option.port, draw(), draw(), draw() & 0xffff);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = peer};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, peer->fd, &event);
}

static void turn(void) {
    struct epoll_event events[EVENTS_AT_ONCE];
    int ready = epoll_wait(poll_fd, events, EVENTS_AT_ONCE, 100);
    for (int i = 0; i < ready && !problem[0]; i++) {
        Peer *peer = events[i].data.ptr;
        if (!peer) /* the timer: it only wakes */
            continue;
        if (events[i].events & EPOLLOUT && peer->out.used)
            mark(peer);
        if (events[i].events & ~(uint32_t)EPOLLOUT)
            hear(peer);
    }
    now = clock_now();
    if (typing)
        type_what_is_due();
    for (size_t i = 0; i < dirty_count; i++) {
        dirty[i]->dirty = false;
        flush(dirty[i]);
    }
    dirty_count = 0;
}

static bool all_arrived(void) { return !undelivered && !unanswered; }

static bool never(void) { return false; }

static void go_on(int64_t until, bool (*done)(void)) {
    while (!problem[0] && now < until && !done())
        turn();
}

static void open_all(void) {
    now = clock_now();
    for (int64_t until = now + OPENING_TIME; synced < peer_count && !problem[0]; turn()) {
        while (opened < peer_count && opened - synced < OPENING_AT_ONCE && !problem[0])
            open_next();
        if (now > until)
            fail("only %d of %d connections were synced in 60 s", synced, peer_count);
    }
}

static double cpu_of(int pid) {
    char path[40], line[1024] = "";
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(line, sizeof line, file) || !strrchr(line, ')'))
        fail("process %d cannot be measured", pid);
    else /* The name may hold anything, also spaces; utime and stime are the 14th and 15th field. */
        sscanf(strrchr(line, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    if (file)
        fclose(file);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double mebibytes_of(int pid) {
    char path[40];
    unsigned long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%*u %lu", &pages) != 1)
        fail("process %d cannot be measured", pid);
    if (file)
        fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static Moment moment(void) {
    struct rusage own;
    getrusage(RUSAGE_SELF, &own);
    Moment moment = {.at = now = clock_now()};
    moment.own_cpu = (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) +
                     (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6;
    for (int i = 0; i < option.pid_count; i++)
        moment.server_cpu += cpu_of(option.pids[i]);
    return moment;
}

static void print_percentiles(const char *name, const Histogram *histogram) {
    if (!histogram->total)
        printf(", \"%s\": null", name);
    else
        printf(", \"%s\": {\"p50\": %.3f, \"p95\": %.3f, \"p99\": %.3f}", name, percentile(histogram, 0.5),
               percentile(histogram, 0.95), percentile(histogram, 0.99));
}

static void print_error(const char **separator, const char *format, unsigned long long figure) {
    if (!figure)
        return;
    printf("%s\"", *separator);
    printf(format, figure);
    printf("\"");
    *separator = ", ";
}

static int report(Moment start, Moment end) {
    double seconds = (double)(end.at - start.at) / 1e9, mebibytes = 0;
    uint64_t typed = 0;
    for (int i = 0; i < writer_count; i++)
        typed += writers[i].typed;
    for (int i = 0; i < option.pid_count; i++)
        mebibytes += mebibytes_of(option.pids[i]);
    printf("{\"connections\": %d, \"seconds\": %.3f, \"typed\": %llu, \"updates_s\": %.1f, \"deliveries_s\": %.1f", synced,
           seconds, (unsigned long long)typed, seconds ? (double)completed / seconds : 0,
           seconds ? (double)delivered / seconds : 0);
    print_percentiles("latency_ms", &latency);
    print_percentiles("saved_ms", &saved);
    printf(", \"server_cpu_s\": %.2f, \"server_rss_mib\": %.1f, \"load_cpu_s\": %.2f, \"errors\": [",
           end.server_cpu - start.server_cpu, mebibytes, end.own_cpu - start.own_cpu);
    const char *separator = "";
    if (problem[0]) {
        printf("\"%s\"", problem);
        separator = ", ";
    }
    print_error(&separator, "%llu times a character did not arrive", undelivered);
    print_error(&separator, "%llu times a character arrived as another one", wrong);
    print_error(&separator, "%llu times it was not said that everything is saved", unanswered);
    puts("]}");
    return problem[0] || undelivered || wrong || unanswered;
}

static int ascending(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void prepare(void) {
    signal(SIGPIPE, SIG_IGN); /* writing says so, too */
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    mask_state ^= (uint64_t)clock_now();
    peer_count = option.rooms * option.peers;
    writer_count = option.rooms * option.writers;
    seen_bytes = ((size_t)option.peers + 7) / 8;
    peers = grown(NULL, (size_t)peer_count * sizeof *peers);
    dirty = grown(NULL, (size_t)peer_count * sizeof *dirty);
    writers = grown(NULL, (size_t)writer_count * sizeof *writers);
    phases = grown(NULL, (size_t)writer_count * sizeof *phases);
    for (int i = 0; i < writer_count; i++) {
        writers[i] = (Writer){.peer = &peers[i / option.writers * option.peers + i % option.writers]};
        phases[i] = option.rate ? (int64_t)((double)draw() / 4294967296.0 * 1e9 / option.rate) : 0;
    }
    qsort(phases, (size_t)writer_count, sizeof *phases, ascending);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer_fd, &(struct epoll_event){.events = EPOLLIN | EPOLLET});
}

static void read_options(int count, char **arguments) {
    static const struct option names[] = {
        {"port", 1, 0, 'o'},   {"path", 1, 0, 'a'},   {"rooms", 1, 0, 'r'},  {"peers", 1, 0, 'p'},
        {"writers", 1, 0, 'w'}, {"window", 1, 0, 'k'}, {"rate", 1, 0, 'R'},   {"seconds", 1, 0, 's'},
        {"warmup", 1, 0, 'u'}, {"drain", 1, 0, 'd'},  {"saved", 1, 0, 'S'},  {"pid", 1, 0, 'P'},
        {0, 0, 0, 0},
    };
    for (int name; (name = getopt_long(count, arguments, "", names, NULL)) != -1;)
        switch (name) {
        case 'o': option.port = atoi(optarg); break;
        case 'a': option.path = optarg; break;
        case 'r': option.rooms = atoi(optarg); break;
        case 'p': option.peers = atoi(optarg); break;
        case 'w': option.writers = atoi(optarg); break;
        case 'k': option.window = atoi(optarg); break;
        case 'R': option.rate = atof(optarg); break;
        case 's': option.seconds = atof(optarg); break;
        case 'u': option.warmup = atof(optarg); break;
        case 'd': option.drain = atof(optarg); break;
        case 'S': option.saved_every = atoi(optarg); break;
        case 'P':
            if (option.pid_count < MOST_PIDS)
                option.pids[option.pid_count++] = atoi(optarg);
            break;
        default: exit(2); /* getopt has said why */
        }
    const char *wrong_use = option.port <= 0                                       ? "--port is needed"
                            : option.rooms < 1 || option.peers < 2                 ? "a room needs two --peers"
                            : option.peers > UINT16_MAX                            ? "too many --peers"
                            : option.writers < 1 || option.writers > option.peers  ? "--writers are some of the --peers"
                            : (option.window > 0) == (option.rate > 0)             ? "either --window or --rate is needed"
                            : strlen(option.path) > 500                            ? "--path is too long"
                                                                                   : NULL;
    if (wrong_use) {
        fprintf(stderr, "load: %s\n", wrong_use);
        exit(2);
    }
}

int main(int count, char **arguments) {
    read_options(count, arguments);
    prepare();
    open_all();
    typing_since = now;
    typing = !problem[0];
    go_on(now + (int64_t)(option.warmup * 1e9), never);
    Moment start = moment();
    measured_from = start.at;
    measuring = true;
    go_on(start.at + (int64_t)(option.seconds * 1e9), never);
    measuring = typing = false;
    Moment end = moment();
    measured_until = end.at;
    go_on(now + (int64_t)(option.drain * 1e9), all_arrived);
    return report(start, end);
}
