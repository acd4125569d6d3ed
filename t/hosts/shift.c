/* shift.c: what lean puts before the C library in every program.
 *
 *   -DCLOCK=SECONDS   the wall clock is so much later, or earlier, and so are the times of
 *                     files
 *   -DORDER           a directory is listed the other way round
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifdef CLOCK
static int shifted(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI;
}
int clock_gettime(clockid_t clock, struct timespec* now) {
  const long result = syscall(SYS_clock_gettime, clock, now);
  if (result == 0 && shifted(clock)) now->tv_sec += CLOCK;
  return (int)result;
}
int gettimeofday(struct timeval* restrict now, void* restrict zone) {
  struct timespec precise;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}
time_t time(time_t* now) {
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  if (now) *now = precise.tv_sec;
  return precise.tv_sec;
}

/* What the kernel says of a file, and is told. */
static int seen(int result, struct stat* file) {
  if (result == 0) file->st_atim.tv_sec += CLOCK, file->st_mtim.tv_sec += CLOCK, file->st_ctim.tv_sec += CLOCK;
  return result;
}
int fstatat(int at, const char* restrict path, struct stat* restrict file, int flags) {
  return seen((int)syscall(SYS_newfstatat, at, path, file, flags), file);
}
int stat(const char* restrict path, struct stat* restrict file) { return fstatat(AT_FDCWD, path, file, 0); }
int lstat(const char* restrict path, struct stat* restrict file) { return fstatat(AT_FDCWD, path, file, AT_SYMLINK_NOFOLLOW); }
int fstat(int fd, struct stat* file) { return fstatat(fd, "", file, AT_EMPTY_PATH); }
int fstatat64(int at, const char* restrict path, struct stat64* restrict file, int flags) { return fstatat(at, path, (struct stat*)file, flags); }
int stat64(const char* restrict path, struct stat64* restrict file) { return stat(path, (struct stat*)file); }
int lstat64(const char* restrict path, struct stat64* restrict file) { return lstat(path, (struct stat*)file); }
int fstat64(int fd, struct stat64* file) { return fstat(fd, (struct stat*)file); }
/* Of programs that were linked years ago. */
int __xstat(int version, const char* path, struct stat* file) { (void)version; return stat(path, file); }
int __lxstat(int version, const char* path, struct stat* file) { (void)version; return lstat(path, file); }
int __fxstat(int version, int fd, struct stat* file) { (void)version; return fstat(fd, file); }
int __xstat64(int version, const char* path, struct stat* file) { (void)version; return stat(path, file); }
int __lxstat64(int version, const char* path, struct stat* file) { (void)version; return lstat(path, file); }
int __fxstat64(int version, int fd, struct stat* file) { (void)version; return fstat(fd, file); }
int statx(int at, const char* restrict path, int flags, unsigned mask, struct statx* restrict file) {
  const int result = (int)syscall(SYS_statx, at, path, flags, mask, file);
  if (result == 0) file->stx_atime.tv_sec += CLOCK, file->stx_mtime.tv_sec += CLOCK, file->stx_ctime.tv_sec += CLOCK, file->stx_btime.tv_sec += CLOCK;
  return result;
}
static int tell(int at, const char* path, const struct timespec times[2], int flags) {
  struct timespec real[2];
  for (int i = 0; times && i < 2; ++i) {
    real[i] = times[i];
    if (real[i].tv_nsec != UTIME_NOW && real[i].tv_nsec != UTIME_OMIT) real[i].tv_sec -= CLOCK;
  }
  return (int)syscall(SYS_utimensat, at, path, times ? real : NULL, flags);
}
int utimensat(int at, const char* path, const struct timespec times[2], int flags) { return tell(at, path, times, flags); }
int futimens(int fd, const struct timespec times[2]) { return tell(fd, NULL, times, 0); }
#endif

#ifdef ORDER
/* What a stream has is read at the first call, and given back from its end. */
struct listing {
  DIR* stream;
  struct dirent** entries;
  size_t left;
  struct listing* next;
};
static __thread struct listing* listings;
static struct listing** place_of(DIR* stream) {
  struct listing** place = &listings;
  while (*place && (*place)->stream != stream) place = &(*place)->next;
  return place;
}
static void forget(DIR* stream) {
  struct listing** place = place_of(stream);
  struct listing* gone = *place;
  if (!gone) return;
  *place = gone->next;
  free(gone); /* the entries may be in use until closedir(3): they are left */
}
struct dirent* readdir(DIR* stream) {
  struct listing* listing = *place_of(stream);
  if (!listing) {
    struct dirent* (*real)(DIR*) = (struct dirent * (*)(DIR*)) dlsym(RTLD_NEXT, "readdir");
    struct dirent* entry;
    listing = calloc(1, sizeof *listing);
    listing->stream = stream;
    listing->next = listings;
    listings = listing;
    while ((entry = real(stream))) {
      listing->entries = realloc(listing->entries, (listing->left + 1) * sizeof entry);
      listing->entries[listing->left] = malloc(entry->d_reclen);
      memcpy(listing->entries[listing->left++], entry, entry->d_reclen);
    }
  }
  return listing->left ? listing->entries[--listing->left] : NULL;
}
struct dirent64* readdir64(DIR* stream) { return (struct dirent64*)readdir(stream); }
void rewinddir(DIR* stream) {
  forget(stream);
  ((void (*)(DIR*))dlsym(RTLD_NEXT, "rewinddir"))(stream);
}
int closedir(DIR* stream) {
  forget(stream);
  return ((int (*)(DIR*))dlsym(RTLD_NEXT, "closedir"))(stream);
}
#endif
