/* kmem-printf.h - printf into cells of any kind
 *
 *     kmptr line = kmprintf(Kmtree(NULL, request), "%s %s", method, path);
 *     if (!kmprintfa(&line, " %d", status)) ...
 *
 * The library does not use stdio. A program that includes this header compiles these functions itself.
 */
#ifndef KMEM_PRINTF_H
#define KMEM_PRINTF_H

#include "kmem.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* KM_FORMAT: the result is a new object, or the only sign of a failure. */
#if defined __GNUC__ || defined __clang__
#  define KM_FORMAT(at, args) __attribute__((unused, warn_unused_result, format(printf, at, args)))
#  define KM_UNUSED __attribute__((unused))
#else
#  define KM_FORMAT(at, args)
#  define KM_UNUSED
#endif

/* Allocates a formatted string and returns its handle. Fails as kmarr() does. EINVAL if the format is NULL. */
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

/* Appends a formatted string to the string in an object, growing the object as kmcat() does. Returns the object, or NULL.
 * No argument may point into the object. EINVAL if the format is NULL, or if the object has no terminating zero. See
 * also kmroom(). */
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

/* A kmwritefn that writes a report to the FILE * that is its context: kmtreet(node, 3, kmtofile, stderr). */
KM_UNUSED static void kmtofile(void *file, const char *text, size_t len) { fwrite(text, 1, len, KM_CAST(FILE *, file)); }

#endif
