/* kmem-printf.h - printf into cells of any kind
 *
 *     kmptr line = kmprintf(Kmtree(NULL, request), "%s %s", method, path);
 *     if (!kmprintfa(&line, " %d", status)) ...
 *
 * Apart from kmem.h, for not every program has stdio, and the library needs none: these are functions of the program's own.
 */
#ifndef KMEM_PRINTF_H
#define KMEM_PRINTF_H

#include "kmem.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* KM_FORMAT: also warns about an unused result, which is the only sign of a failure. */
#if defined __GNUC__ || defined __clang__
#  define KM_FORMAT(at, args) __attribute__((unused, warn_unused_result, format(printf, at, args)))
#  define KM_UNUSED __attribute__((unused))
#else
#  define KM_FORMAT(at, args)
#  define KM_UNUSED
#endif

/* Makes an object with the formatted string. The null handle if it is refused; errno is EINVAL if the format is NULL. */
KM_FORMAT(2, 0) static kmptr kmvprintf(kmat at, const char *format, va_list args) {
    va_list again;
    kmptr made = kmstat(KM_NULL);
    int len;
    if (!format) {
        errno = EINVAL;
        return made;
    }
    va_copy(again, args);
    len = vsnprintf(KM_NULL, 0, format, again);
    va_end(again);
    if (len >= 0) made = kmarr(at, KM_CAST(size_t, len) + 1, 1);
    if (made.ref) vsnprintf(KM_CAST(char *, made.ref), KM_CAST(size_t, len) + 1, format, args);
    return made;
}

KM_FORMAT(2, 3) static kmptr kmprintf(kmat at, const char *format, ...) {
    va_list args;
    kmptr made;
    va_start(args, format);
    made = kmvprintf(at, format, args);
    va_end(args);
    return made;
}

/* Appends the formatted string to the one in the object, and returns the object, or NULL where that is refused and nothing has
 * changed. No argument may lie in the object, which may move. */
KM_FORMAT(2, 0) static void *kmvprintfa(kmptr *object, const char *format, va_list args) {
    va_list again;
    char *end = KM_NULL;
    int len;
    if (!format) {
        errno = EINVAL;
        return KM_NULL;
    }
    va_copy(again, args);
    len = vsnprintf(KM_NULL, 0, format, again);
    va_end(again);
    if (len >= 0) end = kmroom(object, KM_CAST(size_t, len));
    if (!end) return KM_NULL;
    vsnprintf(end, KM_CAST(size_t, len) + 1, format, args);
    return object->ref;
}

KM_FORMAT(2, 3) static void *kmprintfa(kmptr *object, const char *format, ...) {
    va_list args;
    void *grown;
    va_start(args, format);
    grown = kmvprintfa(object, format, args);
    va_end(args);
    return grown;
}

/* Writes a report to a file: kmtreet(node, 3, kmtofile, stderr). */
KM_UNUSED static void kmtofile(void *file, const char *text, size_t len) { fwrite(text, 1, len, KM_CAST(FILE *, file)); }

#endif
