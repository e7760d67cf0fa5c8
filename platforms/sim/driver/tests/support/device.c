/* A device process that does what a task's name says, for the tests of the driver.
 *
 * It reads the frames of lanescope-sim-wire with code of its own, so it is a second opinion on
 * their bytes. Tasks: ok, fail, hang, abort, exit; bump adds one to the 8-byte word whose address
 * the arguments hold; tell fails with a note that says what arrived.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BASE 0x100000000000ull
enum { SOCKET = 3, MEMORY = 4 };

static uint8_t body[1 << 20];
static uint32_t at, length;
static uint32_t chip, driver_id;
static char settings[4096];
static uint64_t loaded[256], op_limit_us;
static int loaded_count;

static int take_all(void *to, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
        ssize_t got = read(SOCKET, (char *)to + done, bytes - done);
        if (got <= 0) return 0;
        done += (size_t)got;
    }
    return 1;
}

static uint64_t number(int bytes) {
    uint64_t value = 0;
    if (at + bytes > length) abort();
    for (int i = 0; i < bytes; i++) value |= (uint64_t)body[at++] << (8 * i);
    return value;
}

static const uint8_t *bytes(uint32_t *count) {
    *count = (uint32_t)number(4);
    if (at + *count > length) abort();
    at += *count;
    return body + at - *count;
}

static void text(char *to, size_t room) {
    uint32_t count;
    const uint8_t *from = bytes(&count);
    if (count >= room) abort();
    memcpy(to, from, count);
    to[count] = 0;
}

static void put(const uint8_t *frame, uint32_t count) {
    uint8_t head[4] = {(uint8_t)count, (uint8_t)(count >> 8), (uint8_t)(count >> 16), 0};
    if (send(SOCKET, head, 4, MSG_NOSIGNAL) != 4) exit(0);
    if (send(SOCKET, frame, count, MSG_NOSIGNAL) != (ssize_t)count) exit(0);
}

static void done(uint32_t stream, uint64_t task, int32_t code) {
    uint8_t frame[17] = {66};
    for (int i = 0; i < 4; i++) frame[1 + i] = (uint8_t)(stream >> (8 * i));
    for (int i = 0; i < 8; i++) frame[5 + i] = (uint8_t)(task >> (8 * i));
    for (int i = 0; i < 4; i++) frame[13 + i] = (uint8_t)((uint32_t)code >> (8 * i));
    put(frame, sizeof frame);
}

static void note(const char *line) {
    static uint8_t frame[8192] = {67};
    uint32_t count = (uint32_t)strlen(line);
    for (int i = 0; i < 4; i++) frame[1 + i] = (uint8_t)(count >> (8 * i));
    memcpy(frame + 5, line, count);
    put(frame, 5 + count);
}

static void run(uint32_t stream, uint64_t task, const char *name, const char *file,
                uint32_t blocks, const uint8_t *args, uint32_t arg_bytes) {
    if (!strcmp(name, "hang")) return;
    if (!strcmp(name, "abort")) abort();
    if (!strcmp(name, "exit")) exit(3);
    if (!strcmp(name, "fail")) {
        note("it was asked to");
        done(stream, task, 507018);
    } else if (!strcmp(name, "tell")) {
        char line[8192];
        snprintf(line, sizeof line,
                 "chip=%u driver=%u stream=%u task=%llu file=%s blocks=%u args=%u limit=%llu set=%s",
                 chip, driver_id, stream, (unsigned long long)task, file, blocks, arg_bytes,
                 (unsigned long long)op_limit_us, settings);
        note(line);
        done(stream, task, 507018);
    } else {
        if (!strcmp(name, "bump")) {
            uint64_t address;
            memcpy(&address, args, 8);
            ++*(volatile uint64_t *)address;
        }
        done(stream, task, 0);
    }
}

static void hello(void) {
    chip = (uint32_t)number(4);
    uint64_t memory_bytes = number(8);
    driver_id = (uint32_t)number(4);
    for (uint32_t left = (uint32_t)number(4); left > 0; left--) {
        char name[100], value[100];
        text(name, sizeof name);
        text(value, sizeof value);
        sprintf(settings + strlen(settings), "%s=%s;", name, value);
    }
    void *memory = mmap((void *)BASE, memory_bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, MEMORY, 0);
    if (memory != (void *)BASE) abort();
    const uint8_t ready = 65;
    put(&ready, 1);
}

int main(void) {
    while (take_all(body, 4)) {
        at = 0;
        length = 4;
        length = (uint32_t)number(4);
        at = 0;
        if (length > sizeof body || !take_all(body, length)) abort();
        uint8_t tag = (uint8_t)number(1);
        char file[1000], name[1000];
        uint32_t arg_bytes;
        if (tag == 1) {
            hello();
        } else if (tag == 2) {
            text(name, sizeof name);
            text(file, sizeof file);
            sprintf(settings + strlen(settings), "%s=%s;", name, file);
        } else if (tag == 3) {
            op_limit_us = number(8);
        } else if (tag == 4 || tag == 5) {
            uint32_t stream = (uint32_t)number(4);
            uint64_t task = number(8);
            text(file, sizeof file);
            text(name, sizeof name);
            uint32_t blocks = (uint32_t)number(4);
            const uint8_t *args = bytes(&arg_bytes);
            run(stream, task, name, file, blocks, args, arg_bytes);
        } else if (tag == 6) {
            loaded[loaded_count++ % 256] = number(8);
            bytes(&arg_bytes);
        } else if (tag == 7) {
            uint64_t handle = number(8);
            for (int i = 0; i < 256; i++)
                if (loaded[i] == handle) loaded[i] = 0;
        } else if (tag == 8) {
            uint32_t stream = (uint32_t)number(4);
            uint64_t task = number(8), handle = number(8);
            int times = 0;
            number(8);
            number(4);
            bytes(&arg_bytes);
            for (int i = 0; i < 256; i++) times += loaded[i] == handle;
            done(stream, task, times == 1 ? 0 : 507015);
        } else {
            abort();
        }
        if (at != length) abort();
    }
    return 0;
}
