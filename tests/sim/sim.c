/* The simulation: for each seed some engines, random links, random options and random users, at
 * least 1 MB of data, every byte checked, every invariant checked at every step, an orderly end,
 * and no memory left behind.
 *
 *     sim --seeds 1-1000 [--floors] [--jobs N]
 *         one line for each failing seed, the mechanisms that fired, "N passed, N failed"
 *     sim --seed N [--verbose]
 *         one seed; every segment with --verbose
 *
 * With --floors the run fails, too, when a mechanism fired less often than it must. With --jobs the
 * seeds are divided among so many processes, and how far they are is told on stderr: a run that was
 * stopped goes on from there. */
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "seed.h"

#define JOBS_MAX 64u
#define BLOCK 16u /* seeds that a process takes at a time */
#define TELL_SECONDS 15

struct job {
    pid_t pid;
    _Atomic uint64_t seed; /* that it works at, UINT64_MAX done */
    uint64_t passed, failed;
    struct totals totals;
};

struct shared {
    _Atomic uint64_t next; /* seed that nobody has taken */
    struct job job[JOBS_MAX];
};

/* The same seed gives the same bytes. */
static bool run_twice(uint64_t seed, const struct totals *before, const struct totals *after)
{
    struct totals *again = calloc(1, sizeof(*again));
    if (again == NULL) {
        abort();
    }
    seed_run(seed, false, again);
    bool same = again->digest == after->digest - before->digest;
    if (!same) {
        printf("FAIL seed %" PRIu64 ": a second run sent other bytes\n", seed);
    }
    free(again);
    return same;
}

static void run_block(struct job *j, uint64_t first, uint64_t last, bool verbose)
{
    for (uint64_t seed = first; seed <= last; seed++) {
        struct totals before = {.digest = j->totals.digest};
        j->seed = seed;
        bool good = seed_run(seed, verbose, &j->totals);
        if (good && seed % 100 == 0) {
            good = run_twice(seed, &before, &j->totals);
        }
        good ? j->passed++ : j->failed++;
        fflush(stdout);
    }
}

static void work(struct shared *s, struct job *j, uint64_t last)
{
    for (;;) {
        uint64_t first = atomic_fetch_add(&s->next, BLOCK);
        if (first > last) {
            break;
        }
        run_block(j, first, last - first < BLOCK ? last : first + BLOCK - 1, false);
    }
    j->seed = UINT64_MAX;
}

static void tell(struct shared *s, unsigned jobs, uint64_t first, uint64_t last, time_t began)
{
    uint64_t lowest = atomic_load(&s->next), passed = 0, failed = 0;
    for (unsigned i = 0; i < jobs; i++) {
        uint64_t seed = atomic_load(&s->job[i].seed);
        lowest = seed < lowest ? seed : lowest;
        passed += s->job[i].passed;
        failed += s->job[i].failed;
    }
    lowest = lowest > last ? last + 1 : lowest;
    uint64_t done = passed + failed, all = last - first + 1;
    uint64_t left = done == 0 ? 0 : (uint64_t)(time(NULL) - began) * (all - done) / done;
    fprintf(stderr,
            "%" PRIu64 " of %" PRIu64 " seeds, %" PRIu64 " failed; %" PRIu64
            " s to go; stopped here it goes on with %" PRIu64 "-%" PRIu64 "\n",
            done, all, failed, left, lowest, last);
}

/* One of the processes ended. */
static void reap(struct job *j, int status)
{
    j->pid = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        printf("FAIL seed %" PRIu64 ": its process died; again: sim --seed %" PRIu64 " --verbose\n",
               atomic_load(&j->seed), atomic_load(&j->seed));
        j->failed++;
        j->seed = UINT64_MAX;
    }
}

static void run_jobs(struct shared *s, unsigned jobs, uint64_t first, uint64_t last)
{
    time_t began = time(NULL), told = began;
    s->next = first;
    fflush(stdout);
    for (unsigned i = 0; i < jobs; i++) {
        s->job[i].seed = first;
        pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            work(s, &s->job[i], last);
            fflush(stdout);
            _exit(0);
        }
        s->job[i].pid = pid;
        if (pid < 0) {
            perror("fork");
            s->job[i].seed = UINT64_MAX;
        }
    }
    for (unsigned running = jobs; running > 0;) {
        running = 0;
        for (unsigned i = 0; i < jobs; i++) {
            struct job *j = &s->job[i];
            int status;
            if (j->pid > 0 && waitpid(j->pid, &status, WNOHANG) == j->pid) {
                reap(j, status);
            }
            running += j->pid > 0;
        }
        if (time(NULL) - told >= TELL_SECONDS) {
            told = time(NULL);
            tell(s, jobs, first, last, began);
        }
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
}

static int usage(void)
{
    fputs("usage: sim --seeds FIRST-LAST [--floors] [--jobs N] | sim --seed N [--verbose]\n",
          stderr);
    return 2;
}

/* Of what processes that died had left, nothing was run. */
static int report(struct shared *s, unsigned jobs, uint64_t seeds, bool floors)
{
    struct job *sum = &s->job[0];
    for (unsigned i = 1; i < jobs; i++) {
        totals_add(&sum->totals, &s->job[i].totals);
        sum->passed += s->job[i].passed;
        sum->failed += s->job[i].failed;
    }
    if (sum->passed + sum->failed < seeds) {
        printf("FAIL: %" PRIu64 " seeds were not run\n", seeds - sum->passed - sum->failed);
        sum->failed += seeds - sum->passed - sum->failed;
    }
    unsigned low = floors_check(&sum->totals, seeds, floors);
    printf("%" PRIu64 " steps, %" PRIu64 " connections, %" PRIu64
           " bytes delivered, digest %016" PRIx64 "\n",
           sum->totals.steps, sum->totals.connections, sum->totals.bytes, sum->totals.digest);
    if (low > 0) {
        printf("%u mechanisms below their floor\n", low);
    }
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", sum->passed, sum->failed + (low > 0));
    return sum->failed > 0 || low > 0;
}

int main(int argc, char **argv)
{
    uint64_t first = 1, last = 100;
    unsigned jobs = 1;
    bool verbose = false, floors = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            verbose = true;
        } else if (strcmp(argv[i], "--floors") == 0) {
            floors = true;
        } else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc &&
                   sscanf(argv[i + 1], "%" SCNu64 "-%" SCNu64, &first, &last) == 2 &&
                   first <= last) {
            i++;
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc &&
                   sscanf(argv[i + 1], "%" SCNu64, &first) == 1) {
            last = first;
            i++;
        } else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc &&
                   sscanf(argv[i + 1], "%u", &jobs) == 1 && jobs > 0 && jobs <= JOBS_MAX) {
            i++;
        } else {
            return usage();
        }
    }
    /* Every seed frees what the next needs again: the system need not have it in between. */
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_MMAP_THRESHOLD, INT_MAX);
    struct shared *s =
        mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    if (jobs == 1) {
        run_block(&s->job[0], first, last, verbose);
    } else {
        run_jobs(s, jobs, first, last);
    }
    return report(s, jobs, last - first + 1, floors);
}
