/* Public keys as ssh-keygen and PuTTYgen wrote them, with the fingerprints that `ssh-keygen -l`
 * told. The private halves were thrown away. */
#ifndef SALLYPORT_TESTS_SSHKEY_SAMPLES_H
#define SALLYPORT_TESTS_SSHKEY_SAMPLES_H

// clang-format off
static const struct sample {
    const char *line, *type;
    unsigned bits;
    const char *sha256, *md5, *comment;
    const char *trouble; /* NULL: taken */
} samples[] = {
    {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPmFm6U3lTwaqpHaEBeMoJpsoGmIMBxFiizIbvNWUvnE ed25519 t"
     "est",
     "ssh-ed25519", 256,
     "SHA256:5gZbdfBxUlkVZeKkgF/vVcWYv0hjiXMjcmxpjz9Q5fQ",
     "MD5:05:66:9e:ae:14:61:ac:03:71:3c:dc:01:9e:cb:a2:ab", "ed25519 test",
     NULL},
    {"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDSqeStcbAAs9cNJFuOwgbGQGf0lpp9wy0zXFeRcvvDk61UT26I0K"
     "nXdRQ5ixMy0DbivfyDMXAhVVCRsDgTZ4kQM0E1AQWlMXKstzEm5VW1eD8WoihN4l+NdKFVh2bM+FmWFANjiRDxp/By"
     "yjpEtE7c4XnXuHk0zlbquyTk179BZmW0ozLS0P+n8l7PWXhBOSJws1b5Oqs7Ph2w++XXbWcZsHFkIYOTAud7mwtlIz"
     "AMyAxj7j7X/vii+CohQxak5VJCqsYvfiVhGA8qeUuPG6FYaOqDvCEcctNgQ7rF/qPyUtAunF3Rh2Xd38ENkNlXNzSx"
     "unJjZYv6meAKBtC8cAet rsa2048 test",
     "ssh-rsa", 2048,
     "SHA256:OI3DNu03mghPBDwkqPSSnmXpJ47/wpv0WcfXTmxjiwg",
     "MD5:e2:01:bf:dc:fd:d6:e6:a6:72:d8:af:77:8d:c0:62:c4", "rsa2048 test",
     NULL},
    {"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC2K4oLct366NJmsHNG8gqpZUw3neZyZHmEmT+d/zm52I5eDHHm8W"
     "yMs6MBCCb0O/f+L7/prnuouCjvI2CnWkBUwd1tF8wEEDAk8r2kXFYxuz4S41T7/fRpdxEfklmXUoNWHJyBuirRGQxk"
     "q3tXzEQt958rle6nD5mjey3n/iHZv9wyCNE6TM2GEaV3wKfA76l7S8u/r7JngdZb+a2er28ls3t4FMadhAPccxERYm"
     "OTz0jVT2BDn7UbcP3AXRO0aWfzXeeIJQ42RnF6ARzTff8wm7FjYzsKJj1JHFefnr3ICRnyWi4prX+K7So8XWiyvWH/"
     "T82wXYLPamxyD1HMDUqdxm5ZXDyj/s9rn0ml67HKgUYwx4/VyNq+jMWEEbX6hG3k6Jma4EyqeCnKP/ie4sV+bs+laq"
     "BHA2FyNpRdAFBZfPd9iR8egdMvkGeoHPoDCDzoDlskwY0MVCAvv12rAu4wuKFV5K7V2XYhCL0LpWuKZ0LbJiU0p6Md"
     "vXazn013GCk= rsa3072 test",
     "ssh-rsa", 3072,
     "SHA256:YzS7zj6Nd7oMTuU2diU8fcsrX+sd45dwQyo94z2mvEw",
     "MD5:70:ec:bf:a0:6a:6b:54:71:37:24:10:a4:31:b0:a5:c2", "rsa3072 test",
     NULL},
    {"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBMB7+uQzko+7Jlmr9O"
     "ohwRCayppMtt0qv9ofGsZBpXOPlU5KwTZeHUGIGqf+knYHH004p1ySCXxn5FwEdTxMHmA= ec256 test",
     "ecdsa-sha2-nistp256", 256,
     "SHA256:9TSEnOcNYVvGua1lhQ1KfiX2pYNsHpEaxaqv+aNfr34",
     "MD5:fc:af:80:bb:e8:a7:ef:63:ca:55:f8:a1:47:d5:29:08", "ec256 test",
     NULL},
    {"ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBJJq7baIZwrbROO5i3"
     "Ka89N7KtOMPY9Ei/8GtcY8zysINy86TxN4Yk4M3I2suaQO6NUvCtNn3TAkfekXvbT/PuZue6XrkM6W1YN3F2pQGsF4"
     "bb81FlKNh/iEafgTe5w+MQ== ec384 test",
     "ecdsa-sha2-nistp384", 384,
     "SHA256:9MVlKm/02bt5xGcgnejxkckoG4rHh2hfviOL21KkC5s",
     "MD5:7a:c4:1b:b3:c3:e2:42:16:93:14:8c:0e:b2:0f:d4:40", "ec384 test",
     NULL},
    {"ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAG7dDN2oZlU4vistQ"
     "+95nUKBGhFXRprd2HWm68tvLJkSE1EaSnu31bkEP+uYIZFOLerTsilCp1kuCLOnw3gfV5ABgEkfdPRDmVEmkRDX9jO"
     "fZeIXTBRrEQY68BXGxeSyWB4dSiIT/wfmLT2aODEkdRMY2fB2NrpxRpdZqARdv2BnkLdZQ== ec521 test",
     "ecdsa-sha2-nistp521", 521,
     "SHA256:pI6lnxQiOQAdIP2sq5bwT4LJbn4a1UIO+Gd++Ir40yo",
     "MD5:17:3a:ea:72:dc:74:54:50:f6:63:56:fa:98:10:31:15", "ec521 test",
     NULL},
    {"sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIPmFm6U3lTwaqpHaEBe"
     "MoJpsoGmIMBxFiizIbvNWUvnEAAAABHNzaDo= sk0 test",
     "sk-ssh-ed25519@openssh.com", 256,
     "SHA256:68H40Ud5S+wwbMmjt03WDKffKVZ3XbghtaTSny5bMDo",
     "MD5:be:62:96:ae:93:c4:e0:f2:d0:bd:a5:d2:07:21:b1:4a", "sk0 test",
     NULL},
    {"sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAA"
     "IbmlzdHAyNTYAAABBBMB7+uQzko+7Jlmr9OohwRCayppMtt0qv9ofGsZBpXOPlU5KwTZeHUGIGqf+knYHH004p1ySC"
     "Xxn5FwEdTxMHmAAAAAEc3NoOg== sk1 test",
     "sk-ecdsa-sha2-nistp256@openssh.com", 256,
     "SHA256:EmHw2QXC6R57uQ1s6kdJP6iJCTl35gPtfb2TVFdUQqc",
     "MD5:fb:4d:29:e9:4b:f3:33:0d:0e:02:38:72:ac:59:54:a8", "sk1 test",
     NULL},
    {"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDFy8Cf5Aw77mQWCgF68E6kXYs7snVeCK4JOM5crMTyOOfnVYj1qi"
     "hY0Nc7XFQiYKejAbvmhgkLSKoydj8ThuNiRiLIJ4fEjXx7LdpdkVkwRcR30NMv7idHJqqo9MbA3TRKxzDwx0Q0u+vv"
     "O9JPACy6cnuzpYy90mqONCHM5c75sw== rsa1024 test",
     "ssh-rsa", 1024,
     "SHA256:LuR/KMn15Q1os5p81sE+/JSVhUFkEP3tAiBRsGm08J0",
     "MD5:8b:97:e5:31:69:f2:88:53:5d:ff:e8:59:9c:09:35:2c", "rsa1024 test",
     "is too weak: RSA of 1024 bits, 2048 are the least"},
    {"ssh-dss AAAAB3NzaC1kc3MAAACBAIE6at40naG2+j/mwnpL1EcYi6H1sMwBDQJJUlPeqt3gGpmw7ZFK0USrfekR5H"
     "V04Xmx9BXrlUJkMIi5zrZdcrr75T4gLLiarp4hhI/kuA/au9dGksql7lb6L0HhQ0znm88kI2Vws5FsO/BXDtGyvURU"
     "t/AgWoF+08k2vddgKyA1AAAAFQCBgBHWXjgSji2uOX0TgCpj5HXcZQAAAIAz/8UOb0fV0qvrg/ADCVLKrg98zNANoQ"
     "ZOYFIyKFO1P+pZVMrUi9U0tCuBZKr3fbCJaBLELpn7y99MzSbowJQLNqH2+yIchphWS9xJnV6/A1EiPZsQTeKkun/h"
     "zelILCkUvIrgBiiUxwktJOmaDsdE+D+b7iKkiB8k9CXT2f5UOgAAAIB7Au7/41+BJs9IlZ1NaI6kESv5VJQZtJi/+O"
     "f1XnHROX/OQLdY+rWkYD2ZfsPf428tbHxsx+0D2KMNmRWt2k+NVvjh1u6JUhSyPOZnrU2oMbrnhDUvay8f9c0Hrl2e"
     "h1Yh/DhdAEuNimIkfcmhmyLC+VRT5gY8BPTpIgFbOml8sw== dsa test",
     "ssh-dss", 1024,
     "SHA256:aIlMAhYkOQ5BAUAOF73msLEbEi9Qiw1K2fz0WN/XwTA",
     "MD5:46:99:03:94:54:94:e1:dc:20:fd:b9:98:2b:1c:5a:1f", "dsa test",
     "is a DSA key (ssh-dss): too weak, nobody takes them any more"},
};

static const char rfc4716_openssh[] =
    "---- BEGIN SSH2 PUBLIC KEY ----\n"
    "Comment: \"3072-bit RSA, converted by me@example from OpenSSH\"\n"
    "AAAAB3NzaC1yc2EAAAADAQABAAABgQC2K4oLct366NJmsHNG8gqpZUw3neZyZHmEmT+d/z\n"
    "m52I5eDHHm8WyMs6MBCCb0O/f+L7/prnuouCjvI2CnWkBUwd1tF8wEEDAk8r2kXFYxuz4S\n"
    "41T7/fRpdxEfklmXUoNWHJyBuirRGQxkq3tXzEQt958rle6nD5mjey3n/iHZv9wyCNE6TM\n"
    "2GEaV3wKfA76l7S8u/r7JngdZb+a2er28ls3t4FMadhAPccxERYmOTz0jVT2BDn7UbcP3A\n"
    "XRO0aWfzXeeIJQ42RnF6ARzTff8wm7FjYzsKJj1JHFefnr3ICRnyWi4prX+K7So8XWiyvW\n"
    "H/T82wXYLPamxyD1HMDUqdxm5ZXDyj/s9rn0ml67HKgUYwx4/VyNq+jMWEEbX6hG3k6Jma\n"
    "4EyqeCnKP/ie4sV+bs+laqBHA2FyNpRdAFBZfPd9iR8egdMvkGeoHPoDCDzoDlskwY0MVC\n"
    "Avv12rAu4wuKFV5K7V2XYhCL0LpWuKZ0LbJiU0p6MdvXazn013GCk=\n"
    "---- END SSH2 PUBLIC KEY ----\n";

static const char rfc4716_putty[] =
    "---- BEGIN SSH2 PUBLIC KEY ----\n"
    "Comment: \"rsa2048 test\"\n"
    "AAAAB3NzaC1yc2EAAAADAQABAAABAQDSqeStcbAAs9cNJFuOwgbGQGf0lpp9wy0z\n"
    "XFeRcvvDk61UT26I0KnXdRQ5ixMy0DbivfyDMXAhVVCRsDgTZ4kQM0E1AQWlMXKs\n"
    "tzEm5VW1eD8WoihN4l+NdKFVh2bM+FmWFANjiRDxp/ByyjpEtE7c4XnXuHk0zlbq\n"
    "uyTk179BZmW0ozLS0P+n8l7PWXhBOSJws1b5Oqs7Ph2w++XXbWcZsHFkIYOTAud7\n"
    "mwtlIzAMyAxj7j7X/vii+CohQxak5VJCqsYvfiVhGA8qeUuPG6FYaOqDvCEcctNg\n"
    "Q7rF/qPyUtAunF3Rh2Xd38ENkNlXNzSxunJjZYv6meAKBtC8cAet\n"
    "---- END SSH2 PUBLIC KEY ----\n";

static const char pem_public[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0qnkrXGwALPXDSRbjsIG\n"
    "xkBn9JaafcMtM1xXkXL7w5OtVE9uiNCp13UUOYsTMtA24r38gzFwIVVQkbA4E2eJ\n"
    "EDNBNQEFpTFyrLcxJuVVtXg/FqIoTeJfjXShVYdmzPhZlhQDY4kQ8afwcso6RLRO\n"
    "3OF517h5NM5W6rsk5Ne/QWZltKMy0tD/p/Jez1l4QTkicLNW+TqrOz4dsPvl121n\n"
    "GbBxZCGDkwLne5sLZSMwDMgMY+4+1/74ovgqIUMWpOVSQqrGL34lYRgPKnlLjxuh\n"
    "WGjqg7whHHLTYEO6xf6j8lLQLpxd0Ydl3d/BDZDZVzc0sbpyY2WL+pngCgbQvHAH\n"
    "rQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

#endif
