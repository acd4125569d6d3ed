#include "leavings.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/failure.h"

namespace leavings {
namespace {

void remove(int folder, const std::string& name, const std::string& shown) {
  if (::unlinkat(folder, name.c_str(), 0) != 0 && errno != ENOENT && errno != EISDIR && errno != ENOTDIR)
    tool::fail_errno(tool::os, "remove " + shown);
}

// Files in that folder, and not in folders in it. It may be missing.
void remove_files_of(uid_t uid, const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(path.c_str()), ::closedir);
  if (!entries) return;
  const int folder = ::dirfd(entries.get());
  while (const dirent* entry = ::readdir(entries.get())) {
    struct stat status {};
    if (::fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (status.st_uid == uid && !S_ISDIR(status.st_mode)) remove(folder, entry->d_name, path + "/" + entry->d_name);
  }
}

bool is_of(const ipc_perm& owner, uid_t uid) { return owner.uid == uid || owner.cuid == uid; }

union SemaphoreArgument {
  semid_ds* status;
};

void remove_system_v(uid_t uid) {
  shmid_ds memory{};
  const int memories = ::shmctl(0, SHM_INFO, &memory);
  for (int i = 0; i <= memories; ++i) {
    const int id = ::shmctl(i, SHM_STAT, &memory);
    if (id >= 0 && is_of(memory.shm_perm, uid)) ::shmctl(id, IPC_RMID, nullptr);
  }
  semid_ds semaphore{};
  const int semaphores = ::semctl(0, 0, SEM_INFO, SemaphoreArgument{&semaphore});
  for (int i = 0; i <= semaphores; ++i) {
    const int id = ::semctl(i, 0, SEM_STAT, SemaphoreArgument{&semaphore});
    if (id >= 0 && is_of(semaphore.sem_perm, uid)) ::semctl(id, 0, IPC_RMID);
  }
  msqid_ds queue{};
  const int queues = ::msgctl(0, MSG_INFO, &queue);
  for (int i = 0; i <= queues; ++i) {
    const int id = ::msgctl(i, MSG_STAT, &queue);
    if (id >= 0 && is_of(queue.msg_perm, uid)) ::msgctl(id, IPC_RMID, nullptr);
  }
}

}  // namespace

void remove_starters(const std::string& name, uid_t uid) {
  for (const char* folder : {"/var/spool/cron/crontabs/", "/var/spool/cron/", "/var/lib/systemd/linger/"})
    remove(AT_FDCWD, folder + name, folder + name);
  for (const char* folder : {"/var/spool/cron/atjobs", "/var/spool/at"}) remove_files_of(uid, folder);
}

void remove_memory(uid_t uid) {
  for (const char* folder : {"/dev/shm", "/dev/mqueue"}) remove_files_of(uid, folder);
  remove_system_v(uid);
}

}  // namespace leavings
