/* A v4l2loopback device without a kernel module: preloaded into the child, it answers for FAKE_CAMERA_DEVICE.
 *
 * Every picture that is written goes to the pipe FAKE_CAMERA_PIPE as a record: kind (4 bytes), length (4 bytes), bytes.
 * Kinds: 1 picture, 2 S_FMT (width, height, pixel format), 3 STREAMON, 4 S_PARM (time per frame).
 * FAKE_CAMERA_GONE=FILE      while that file exists, the device is not there: open ENOENT, write ENODEV.
 * FAKE_CAMERA_HELD=WxH       a reader holds the device at that size, whatever is asked for.
 * FAKE_CAMERA_WRITE_MS=n     a write takes that long.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int device = -1;
static struct v4l2_pix_format pix;

static int gone(void)
{
    const char *file = getenv("FAKE_CAMERA_GONE");
    return file && access(file, F_OK) == 0;
}

static ssize_t real_write(int fd, const void *bytes, size_t length)
{
    static ssize_t (*next)(int, const void *, size_t);
    if (!next)
        next = dlsym(RTLD_NEXT, "write");
    return next(fd, bytes, length);
}

static int record(uint32_t kind, const void *bytes, uint32_t length)
{
    uint32_t head[2] = {kind, length};
    const char *parts[2] = {(const char *)head, bytes};
    size_t sizes[2] = {sizeof head, length};
    for (int part = 0; part < 2; part++)
        while (sizes[part]) {
            ssize_t n = real_write(device, parts[part], sizes[part]);
            if (n < 0)
                return -1;
            parts[part] += n;
            sizes[part] -= n;
        }
    return 0;
}

int open(const char *path, int flags, ...)
{
    static int (*next)(const char *, int, ...);
    const char *ours = getenv("FAKE_CAMERA_DEVICE"), *pipe = getenv("FAKE_CAMERA_PIPE");
    va_list rest;
    if (!next)
        next = dlsym(RTLD_NEXT, "open");
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    if (ours && pipe && strcmp(path, ours) == 0 && !gone())
        return device = next(pipe, O_WRONLY | O_CLOEXEC);
    if (strncmp(path, "/dev/video", 10) == 0) {
        errno = ENOENT;
        return -1;
    }
    return next(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return open(path, flags | O_LARGEFILE, mode);
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*next)(int, unsigned long, ...);
    va_list rest;
    if (!next)
        next = dlsym(RTLD_NEXT, "ioctl");
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (fd != device || device < 0)
        return next(fd, request, argument);
    switch ((uint32_t)request) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *caps = argument;
        memset(caps, 0, sizeof *caps);
        strcpy((char *)caps->driver, "v4l2 loopback");
        caps->capabilities = V4L2_CAP_VIDEO_OUTPUT;
        return 0;
    }
    case VIDIOC_S_FMT: {
        struct v4l2_format *format = argument;
        pix = format->fmt.pix;
        uint32_t what[3] = {pix.width, pix.height, pix.pixelformat};
        return record(2, what, sizeof what);
    }
    case VIDIOC_G_FMT: {
        struct v4l2_format *format = argument;
        const char *held = getenv("FAKE_CAMERA_HELD");
        format->fmt.pix = pix;
        if (held)
            sscanf(held, "%ux%u", &format->fmt.pix.width, &format->fmt.pix.height);
        return 0;
    }
    case VIDIOC_S_PARM: {
        struct v4l2_streamparm *parameters = argument;
        return record(4, &parameters->parm.output.timeperframe, sizeof parameters->parm.output.timeperframe);
    }
    case VIDIOC_STREAMON:
        return record(3, argument, sizeof(int));
    }
    errno = ENOTTY;
    return -1;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    const char *slow_ms = getenv("FAKE_CAMERA_WRITE_MS");
    if (fd != device || device < 0)
        return real_write(fd, bytes, length);
    if (gone()) {
        errno = ENODEV;
        return -1;
    }
    if (slow_ms)
        usleep(1000 * atoi(slow_ms));
    return record(1, bytes, length) ? -1 : (ssize_t)length;
}
