// ssh/upstream_key: the private key with which we log in to an internal server.
#pragma once

#include <memory>
#include <string>

struct ssh_key_struct;

namespace upstream {

// A private key without passphrase, which can sign.
class Key {
 public:
  // PEM or OpenSSH format. Failure{78} when it cannot be read, is not a private
  // key, is encrypted, or is of no use to libssh.
  static Key load(const std::string& path);
  // The same from memory; `name` is for messages.
  static Key parse(const std::string& text, const std::string& name);
  ssh_key_struct* get() const { return key_.get(); }
  const std::string& name() const { return name_; }

 private:
  struct Deleter {
    void operator()(ssh_key_struct* key) const;
  };
  std::unique_ptr<ssh_key_struct, Deleter> key_;
  std::string name_;
};

}  // namespace upstream
