#include "base/root_only.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include <doctest/doctest.h>

namespace {

namespace fs = std::filesystem;

// A folder that only root may write to, with all that leads to it: /run is such a place.
struct Folder {
  std::string path;

  Folder() {
    char name[] = "/run/root-only-XXXXXX";
    REQUIRE(::mkdtemp(name));
    path = name;
  }
  ~Folder() { fs::remove_all(path); }

  std::string in(const std::string& name) const { return path + "/" + name; }
  std::string directory(const std::string& name, uid_t owner = 0, mode_t mode = 0755) const {
    REQUIRE(::mkdir(in(name).c_str(), 0700) == 0);
    REQUIRE(::chmod(in(name).c_str(), mode) == 0);
    REQUIRE(::chown(in(name).c_str(), owner, 0) == 0);
    return in(name);
  }
  std::string file(const std::string& name, uid_t owner = 0, mode_t mode = 0600) const {
    const int made = ::open(in(name).c_str(), O_CREAT | O_EXCL | O_CLOEXEC | O_WRONLY, 0600);
    REQUIRE(made >= 0);
    REQUIRE(::fchmod(made, mode) == 0);
    REQUIRE(::fchown(made, owner, 0) == 0);
    ::close(made);
    return in(name);
  }
  std::string link(const std::string& name, const std::string& target) const {
    REQUIRE(::symlink(target.c_str(), in(name).c_str()) == 0);
    return in(name);
  }
};

std::string said(const std::optional<std::string>& complaint) { return complaint.value_or(""); }

}  // namespace

TEST_CASE("root_only: owner and modes") {
  const struct {
    uid_t owner;
    mode_t mode;
    bool roots;
  } cases[] = {
      {0, 0644, true},  {0, 0600, true},  {0, 0444, true},  {0, 0755, true},   {0, 0, true},     {0, 0664, false},
      {0, 0646, false}, {0, 0620, false}, {0, 0602, false}, {0, 01777, false}, {1, 0600, false}, {65534, 0400, false},
  };
  for (const auto& c : cases) {
    CAPTURE(c.owner);
    CAPTURE(c.mode);
    struct stat status {};
    status.st_uid = c.owner;
    status.st_mode = S_IFREG | c.mode;
    CHECK(root_only::is(status) == c.roots);
  }
}

TEST_CASE("root_only: what is at a path") {
  if (::geteuid() != 0) return;
  const Folder folder;
  CHECK(said(root_only::complaint(folder.in("none"))) == folder.in("none") + " is missing");
  CHECK(said(root_only::complaint(folder.file("good"))).empty());
  CHECK(said(root_only::complaint(folder.file("theirs", 1))) == folder.in("theirs") + " does not belong to root");
  CHECK(said(root_only::complaint(folder.file("open", 0, 0660))) ==
        "others than root can write to " + folder.in("open"));
  CHECK(said(root_only::complaint(folder.link("link", "open"))) ==
        "others than root can write to " + folder.in("link"));
}

TEST_CASE("root_only: each directory on the way counts, the end does not") {
  if (::geteuid() != 0) return;
  const Folder folder;
  CHECK(said(root_only::way_complaint(folder.file("key", 1, 0666))).empty());
  CHECK(said(root_only::way_complaint(folder.in("not-yet"))).empty());
  CHECK(said(root_only::way_complaint(folder.in("none/key"))) == folder.in("none") + " is missing");
  const std::string theirs = folder.directory("theirs", 1);
  CHECK(said(root_only::way_complaint(theirs + "/key")) == theirs + " does not belong to root");
  CHECK(said(root_only::way_complaint(theirs + "/below/key")) == theirs + " does not belong to root");
  CHECK(said(root_only::way_complaint(theirs + "/../key")) == theirs + " does not belong to root");
  const std::string shared = folder.directory("shared", 0, 0775);
  CHECK(said(root_only::way_complaint(shared + "/key")) == "others than root can write to " + shared);
  const std::string sticky = folder.directory("sticky", 0, 01777);
  CHECK(said(root_only::way_complaint(sticky + "/key")) == "others than root can write to " + sticky);
  CHECK(said(root_only::way_complaint(folder.path + "//./key")).empty());
  CHECK(said(root_only::way_complaint("/../.." + folder.path + "/key")).empty());
  CHECK(said(root_only::way_complaint(folder.in("key") + "/below")).find(folder.in("key")) != std::string::npos);
}

TEST_CASE("root_only: links lead where the kernel goes") {
  if (::geteuid() != 0) return;
  const Folder folder;
  folder.directory("good");
  const std::string theirs = folder.directory("theirs", 1);
  folder.link("to-good", "good");
  folder.link("to-theirs", theirs);
  folder.link("key", "to-good/../good/key");
  folder.link("theirs/back", "../good");
  folder.link("around", "theirs/back");
  CHECK(said(root_only::way_complaint(folder.in("to-good/key"))).empty());
  CHECK(said(root_only::way_complaint(folder.in("key"))).empty());
  CHECK(said(root_only::way_complaint(folder.in("to-theirs/key"))) == theirs + " does not belong to root");
  // It ends in a folder of root's: but who owns the one between may lead it elsewhere.
  CHECK(said(root_only::way_complaint(folder.in("around/key"))) == theirs + " does not belong to root");
  folder.link("a", "b");
  folder.link("b", "a");
  CHECK(said(root_only::way_complaint(folder.in("a/key"))).find("is a link that leads nowhere") != std::string::npos);
}
