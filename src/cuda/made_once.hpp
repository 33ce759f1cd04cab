#pragma once

#include <exception>
#include <future>
#include <map>
#include <mutex>
#include <string>

namespace ito::cuda {

/// Values that are costly to make, kept by key. While one thread makes a value, others that want it
/// wait, and those that want another do not. A failure is thrown to all who waited and then
/// forgotten. Thread-safe.
template <class Value>
class MadeOnce {
 public:
  template <class Make>
  Value get(const std::string& key, Make&& make) {
    std::promise<Value> promise;
    {
      std::unique_lock lock(mutex_);
      const auto [place, mine] = values_.try_emplace(key);
      if (!mine) {
        const std::shared_future<Value> theirs = place->second;
        lock.unlock();
        return theirs.get();
      }
      place->second = promise.get_future().share();
    }
    try {
      Value value = make();
      promise.set_value(value);
      return value;
    } catch (...) {
      {
        const std::lock_guard lock(mutex_);
        values_.erase(key);
      }
      promise.set_exception(std::current_exception());
      throw;
    }
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_future<Value>> values_;
};

}  // namespace ito::cuda
