// Runs the files of a folder through a fuzz target, each as it is and cut at some places, with any compiler: what was once found stays found.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

namespace {

std::string content(const std::filesystem::path &path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// From a heap block of just this size, so that a sanitizer sees a read past the end.
void run(const std::string &text, std::size_t size)
{
    auto *bytes = new uint8_t[size];
    text.copy(reinterpret_cast<char *>(bytes), size);
    LLVMFuzzerTestOneInput(bytes, size);
    delete[] bytes;
}

}  // namespace

int main(int argc, char **argv)
{
    int files = 0;
    for (int i = 1; i < argc; i++) {
        for (const auto &entry : std::filesystem::directory_iterator(argv[i])) {
            // Said first: a crash leaves no other word of which file it was.
            std::printf("%s\n", entry.path().c_str());
            std::fflush(stdout);
            const std::string text = content(entry.path());
            run(text, text.size());
            for (std::size_t part = 1; part < 16; part++) run(text, text.size() * part / 16);
            files++;
        }
    }
    std::printf("%d files\n", files);
    return files > 0 ? 0 : 1;
}
