#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/whole_file.h"

namespace {

class Directory {
 public:
  Directory() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string at(const std::string& name) const { return path_ + "/" + name; }
  long files() const {
    return std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator());
  }

 private:
  std::string path_ = "/tmp/whole_file.XXXXXX";
};

std::string text_of(const std::string& path) { return io::read_all(fd::open(path, O_RDONLY).get(), 1024, path); }

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_mode;
}

// What the failure says; empty: there is none.
template <typename Act>
std::string fault_of(Act act) {
  try {
    act();
  } catch (const tool::Failure& failure) {
    return failure.what();
  }
  return "";
}

}  // namespace

TEST_CASE("whole_file: it takes the place of the one that is there") {
  const Directory directory;
  const std::string path = directory.at("x");
  whole_file::write(path, "one");
  CHECK(text_of(path) == "one");
  CHECK(mode_of(path) == (S_IFREG | 0600));
  const Fd reader = fd::open(path, O_RDONLY);
  whole_file::write(path, "two", {.mode = 0644, .durable = true});
  CHECK(text_of(path) == "two");
  CHECK(mode_of(path) == (S_IFREG | 0644));
  CHECK(io::read_all(reader.get(), 1024, path) == "one");
  CHECK(directory.files() == 1);
}

TEST_CASE("whole_file: the umask takes nothing of its mode") {
  const Directory directory;
  const mode_t before = ::umask(077);
  whole_file::write(directory.at("x"), "", {.mode = 0644});
  ::umask(before);
  CHECK(mode_of(directory.at("x")) == (S_IFREG | 0644));
}

TEST_CASE("whole_file: what lies beside it is taken away, and no link is followed") {
  const Directory directory;
  whole_file::write(directory.at("mine"), "mine");
  REQUIRE(::symlink(directory.at("mine").c_str(), directory.at("x.new").c_str()) == 0);
  REQUIRE(::symlink(directory.at("mine").c_str(), directory.at("x").c_str()) == 0);
  whole_file::write(directory.at("x"), "new");
  CHECK(text_of(directory.at("mine")) == "mine");
  CHECK(mode_of(directory.at("x")) == (S_IFREG | 0600));
  CHECK(directory.files() == 2);
}

TEST_CASE("whole_file: in a directory that is held, under another name at first") {
  const Directory directory;
  const Fd held = fd::open(directory.at(""), O_RDONLY | O_DIRECTORY);
  whole_file::write("x", "text", {.directory = held.get(), .beside = ".x"});
  CHECK(text_of(directory.at("x")) == "text");
  CHECK(directory.files() == 1);
}

TEST_CASE("whole_file: a failure says what could not be written, and leaves nothing") {
  const Directory directory;
  std::filesystem::create_directory(directory.at("x"));
  CHECK(fault_of([&] { whole_file::write(directory.at("x"), ""); }) ==
        "write " + directory.at("x") + ": Is a directory");
  CHECK(directory.files() == 1);
  CHECK(fault_of([&] { whole_file::write(directory.at("none/y"), "", {.shown = "~/y"}); }) ==
        "write ~/y: No such file or directory");
  std::filesystem::create_directory(directory.at("z.new"));
  CHECK(fault_of([&] { whole_file::write(directory.at("z"), ""); }) == "write " + directory.at("z") + ": File exists");
}
