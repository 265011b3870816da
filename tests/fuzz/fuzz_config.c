/* Fuzzing of sallyport.conf (common/config.c): a file that is refused is refused in one line that
 * names it; one that is taken says the same again after it was written out. */
#include <sys/mman.h>
#include <unistd.h>

#include "common/config.h"
#include "tests/fuzz/fuzz.h"

/* A file of these bytes, and its path. */
static int file_of(struct slice bytes, char path[64])
{
    const int fd = memfd_create("conf", MFD_CLOEXEC);

    must(fd >= 0 && write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static char *dump(const struct config *config, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);

    must(out != NULL);
    config_dump(config, out);
    must(fclose(out) == 0);
    return text;
}

static void check_again(const struct config *config)
{
    struct config_trouble trouble;
    struct config second;
    char path[64];
    size_t len, second_len;
    char *text = dump(config, &len);
    const int fd = file_of(slice_of(text, len), path);

    if (config_read(path, &second, &trouble) < 0) {
        fprintf(stderr, "%s\n%s", trouble.text, text);
        must(!"what was written out is taken");
    }
    char *second_text = dump(&second, &second_len);
    must(len == second_len && memcmp(text, second_text, len) == 0);
    must(config_fixed_difference(config, &second) == NULL);
    config_free(&second);
    free(text);
    free(second_text);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config;
    struct config_trouble trouble = {.text = ""};
    char path[64];
    const int fd = file_of(slice_of(data, size), path);

    if (config_read(path, &config, &trouble) < 0) {
        must(strncmp(trouble.text, path, strlen(path)) == 0);
        must(strchr(trouble.text, '\n') == NULL);
    } else {
        check_again(&config);
    }
    config_free(&config);
    close(fd);
    return 0;
}
