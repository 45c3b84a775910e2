# One image for every daemon: the command says which. Nothing in it runs as root.
FROM python:3.11-slim

# git for packs, ssh for remote actions, sudo and pkill for actions as another user, tini to reap orphans.
RUN apt-get update \
 && apt-get install -y --no-install-recommends git openssh-client procps sudo tini \
 && rm -rf /var/lib/apt/lists/*

# The daemons are st2. Shell actions are stanley, who cannot read what the daemons know; root only ends what runs too long.
RUN groupadd --gid 1100 st2 && useradd --uid 1100 --gid st2 --create-home st2 \
 && groupadd --gid 1101 st2packs && usermod --append --groups st2packs st2 \
 && useradd --uid 1102 --create-home --shell /bin/bash stanley \
 && printf '%s\n' 'st2 ALL=(stanley) NOPASSWD:SETENV: ALL' 'st2 ALL=(root) NOPASSWD: /usr/bin/pkill' > /etc/sudoers.d/st2 \
 && chmod 440 /etc/sudoers.d/st2 \
 && install -d -o st2 -g st2 /var/lib/st2 /var/log/st2 /etc/st2 \
 && install -d -o st2 -g st2 -m 0700 /etc/st2/keys \
 && install -d -o st2 -g st2packs -m 2775 /opt/stackstorm/packs /opt/stackstorm/configs /opt/stackstorm/virtualenvs

COPY . /usr/src/st2
RUN pip install --no-cache-dir /usr/src/st2 && rm -rf /usr/src/st2
COPY conf/docker/st2.conf /etc/st2/st2.conf

USER st2
WORKDIR /home/st2
ENV PYTHONUNBUFFERED=1 ST2_CONFIG_PATH=/etc/st2/st2.conf ST2_CONF=/etc/st2/st2.conf
ENTRYPOINT ["tini", "--"]
CMD ["st2ctl", "status"]
