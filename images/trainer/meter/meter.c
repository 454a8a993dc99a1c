/* Runs the command of a container with somebody else's code, and says in a file what that took.
 *
 *   meter REPORT CGROUP COMMAND [ARGUMENT]...
 *
 * It is linked statically and reads nothing but the kernel's files, so that it runs in any image and as any user.
 * Everything that the command would see of the container's runtime it sees as before: signals are passed on, orphans
 * are reaped, and its exit status is this one's (128 and the number of a signal that ended it).
 *
 * The peak is the largest resident set of any process, or what all processes had of anonymous and shared memory at
 * once, if that is more. The second is looked at ten times a second. The control group's own peak would say too much:
 * it counts every file that was read once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { USAGE = 64, NOT_EXECUTABLE = 126, NOT_FOUND = 127, SIGNALLED = 128 };

static const long PAUSE_NANOSECONDS = 100L * 1000 * 1000;
static const long long KIBIBYTE = 1024;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double seconds_of(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

/* The sum of the entries of a memory.stat that are named; 0 where there is no such file. */
static long long entries(const char *group, const char *file, const char *const names[2]) {
  char path[4096], line[256], name[64];
  long long sum = 0, value;
  snprintf(path, sizeof path, "%s/%s", group, file);
  FILE *stream = fopen(path, "re");
  if (stream == NULL) return 0;
  while (fgets(line, sizeof line, stream) != NULL)
    if (sscanf(line, "%63s %lld", name, &value) == 2 && (!strcmp(name, names[0]) || !strcmp(name, names[1])))
      sum += value;
  fclose(stream);
  return sum;
}

/* What all processes of the container have at once, by version 2 of control groups or by version 1. */
static long long held(const char *group) {
  static const char *const second[] = {"anon", "shmem"}, *const first[] = {"total_rss", "total_shmem"};
  long long found = entries(group, "memory.stat", second);
  return found > 0 ? found : entries(group, "memory/memory.stat", first);
}

static void report(const char *path, double began, long long held_peak) {
  struct rusage used;
  getrusage(RUSAGE_CHILDREN, &used);
  long long largest = used.ru_maxrss * KIBIBYTE;
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (file < 0) {
    fprintf(stderr, "meter: cannot write %s: %s\n", path, strerror(errno));
    return;
  }
  dprintf(file, "{\"cpuSeconds\": %.2f, \"peakMemoryBytes\": %lld, \"seconds\": %.2f}\n",
          seconds_of(used.ru_utime) + seconds_of(used.ru_stime), largest > held_peak ? largest : held_peak,
          now() - began);
  close(file);
}

static pid_t start(char *const command[], const sigset_t *before) {
  pid_t child = fork();
  if (child != 0) return child;
  sigprocmask(SIG_SETMASK, before, NULL);
  execvp(command[0], command);
  int why = errno;
  fprintf(stderr, "meter: cannot run %s: %s\n", command[0], strerror(why));
  _exit(why == ENOENT ? NOT_FOUND : NOT_EXECUTABLE);
}

/* Reaps what has ended; whether the command is among it. */
static int has_ended(pid_t child, int *status) {
  int ended = 0, seen;
  pid_t gone;
  while ((gone = waitpid(-1, &seen, WNOHANG)) > 0)
    if (gone == child) {
      *status = seen;
      ended = 1;
    }
  return ended;
}

int main(int count, char *arguments[]) {
  if (count < 4) {
    fputs("usage: meter REPORT CGROUP COMMAND [ARGUMENT]...\n", stderr);
    return USAGE;
  }
  const struct timespec pause = {0, PAUSE_NANOSECONDS};
  const double began = now();
  long long peak = 0;
  int status = 0;
  sigset_t every, before;
  sigfillset(&every);
  sigprocmask(SIG_SETMASK, &every, &before);
  pid_t child = start(arguments + 3, &before);
  if (child < 0) {
    fprintf(stderr, "meter: cannot fork: %s\n", strerror(errno));
    return NOT_EXECUTABLE;
  }
  while (!has_ended(child, &status)) {
    long long present = held(arguments[2]);
    if (present > peak) peak = present;
    int signal = sigtimedwait(&every, NULL, &pause);
    if (signal > 0 && signal != SIGCHLD) kill(child, signal);
  }
  report(arguments[1], began, peak);
  return WIFSIGNALED(status) ? SIGNALLED + WTERMSIG(status) : WEXITSTATUS(status);
}
